/** What a link to the page carries, after its `#`, which no server is told. */
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
