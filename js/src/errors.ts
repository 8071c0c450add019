/** The kind of an error; the README says what the caller should do for each. */
export type ErrorCode =
  | "invalid"
  | "unsupported"
  | "denied"
  | "resources_exhausted"
  | "timeout"
  | "cancelled"
  | "conflict"
  | "unavailable"
  | "indeterminate"
  | "corrupt"
  | "internal"
  | "engine_crashed"
  | "engine_closed";

/** Every error of this package. A call that failed changed nothing. */
export class EngineError extends Error {
  /** The kind of the error: stable, unlike the message. */
  readonly code: ErrorCode;

  constructor(code: ErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = code === "cancelled" ? "AbortError" : "EngineError";
    this.code = code;
  }
}

/** An error as it is sent from a worker. */
export interface SentError {
  code: ErrorCode;
  message: string;
}
