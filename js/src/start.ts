import type { Backend, Start, WasmSource } from "./backend.js";
import type { EngineOptions } from "./engine.js";
import { EngineError } from "./errors.js";
import { Remote, type WorkerLike } from "./remote.js";

/** The differences between a page and Node.js. */
export interface Platform {
  createWorker(): WorkerLike;
  /** The location of the package's WebAssembly, or the WebAssembly itself. */
  wasm(given: WasmSource | undefined): Promise<WasmSource>;
}

/** Starts an engine's instance. */
export async function start(platform: Platform, options: EngineOptions = {}): Promise<Backend> {
  const startOptions: Start = {
    wasm: await platform.wasm(options.wasm),
    memoryLimitBytes: positive("memoryLimitBytes", options.memoryLimitBytes),
    statementTimeoutMs: positive("statementTimeoutMs", options.statementTimeoutMs),
  };
  if (options.worker ?? true) return Remote.start(worker(platform), startOptions);
  const { Host } = await import("./host.js");
  return Host.start(startOptions);
}

function worker(platform: Platform): WorkerLike {
  try {
    return platform.createWorker();
  } catch (cause) {
    const why = `the engine's worker cannot be started, serve the package from the page's own origin or say worker: false: ${cause}`;
    throw new EngineError("unsupported", why, { cause });
  }
}

function positive(name: string, value: number | undefined): number {
  if (value === undefined) return 0;
  if (!(typeof value === "number" && value > 0))
    throw new EngineError("invalid", `${name} must be a number, more than 0`);
  return value;
}
