export type { Progress, WasmSource } from "./backend.js";
export type { Applied, ApplyOptions, EventFormat, HistoryOptions, SkipReason, Watermark } from "./changes.js";
export type { CallOptions, CsvOptions, EngineOptions, LoadOptions, Params, QueryOptions } from "./engine.js";
export { ResultStream } from "./engine.js";
export { EngineError, type ErrorCode } from "./errors.js";
export type { ScalarFunction } from "./functions.js";
export type { ArrowSchemaLike, ArrowTableLike, Column, FileSource } from "./inputs.js";
export { Batch, Result } from "./result.js";
export type { ResultColumn, Row, Value } from "./rows.js";
