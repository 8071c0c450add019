/** The content of a link to the page, after its `#`, which browsers do not send to the server. */
export interface Shared {
  sql: string;
  /** Whether the query needs the built-in sample. */
  sample: boolean;
}

export function linkOf({ sql, sample }: Shared): string {
  const parts = new URLSearchParams({ sql });
  if (sample) parts.set("sample", "1");
  return `${location.origin}${location.pathname}#${parts}`;
}

export function sharedBy(hash: string): Shared | undefined {
  const parts = new URLSearchParams(hash.replace(/^#/, ""));
  const sql = parts.get("sql");
  return sql === null ? undefined : { sql, sample: parts.has("sample") };
}
