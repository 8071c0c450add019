import { instance } from "../wasm/rhei_datafusion.js";
import type { Backend, CallOptions, Method, Start, WasmSource } from "./backend.js";
import { compile } from "./compile.js";
import { EngineError, type ErrorCode } from "./errors.js";
import { type Answered, evaluate, type ScalarFunction } from "./functions.js";

type RawEngine = InstanceType<ReturnType<typeof instance>["RawEngine"]>;

/** The first value that `turn()` returns, which says what to do next; see `Calls` in the engine. */
const NONE = 0;
const WAITS = 2;

/** The largest single allocation of Rust on wasm32, in bytes. */
const MAX_ALLOCATION = 2 ** 31 - 1;

/** How long the work loop sleeps while all calls wait for something outside of the engine. */
const REST_MS = 4;

/** Starts the evaluation of a function for a batch, without waiting for the values. */
export type Ask = (request: number, columns: unknown[][], rows: number) => void;

interface Waiting {
  resolve: (value: unknown) => void;
  reject: (error: unknown) => void;
}

/** An engine in this thread. It works in slices; between slices the event loop gets a turn. */
export class Host implements Backend {
  #raw: RawEngine;
  #waiting = new Map<number, Waiting>();
  #ended: EngineError | undefined;
  #works = false;
  #kick: (() => void) | undefined;

  private constructor(raw: RawEngine) {
    this.#raw = raw;
  }

  static async start(start: Start): Promise<Host> {
    const glue = instance();
    try {
      await glue({ module_or_path: await compiled(start.wasm) });
    } catch (cause) {
      if (cause instanceof EngineError) throw cause;
      throw new EngineError("invalid", `this is not the WebAssembly of this version of the engine: ${cause}`, {
        cause,
      });
    }
    return new Host(new glue.RawEngine(start.memoryLimitBytes, start.statementTimeoutMs));
  }

  call(id: number, method: Method, args: unknown[], options?: CallOptions): Promise<unknown> {
    if (method === "memory") return this.#guarded(() => this.#raw.memory());
    const full = method.startsWith("load") ? this.#noRoom(args[1] as Uint8Array) : undefined;
    if (full) return Promise.reject(full);
    const isGathered = method === "query" || method === "exportArrow";
    return this.#begin(id, method, isGathered ? [...args, options?.onProgress] : args);
  }

  /** The error of a file whose bytes do not fit into memory. */
  #noRoom({ length }: Uint8Array): EngineError | undefined {
    if (this.#ended) return undefined;
    const { usedBytes, limitBytes } = this.#raw.memory() as { usedBytes: number; limitBytes: number };
    if (length <= MAX_ALLOCATION && usedBytes + length <= limitBytes) return undefined;
    const why = `out of memory: the file has ${length} bytes, ${usedBytes} are in use, and the limit is ${limitBytes}; raise memoryLimitBytes, or load it in parts of less than 2 GiB`;
    return new EngineError("resources_exhausted", why);
  }

  register(id: number, name: string, args: string[], returns: string, fn: ScalarFunction): Promise<unknown> {
    const ask: Ask = async (request, columns, rows) => this.answer(request, await evaluate(fn, columns, rows));
    return this.registerAsk(id, name, args, returns, ask);
  }

  /** Registers a function that runs elsewhere: `ask` gets each batch, and {@link answer} takes the values. */
  registerAsk(id: number, name: string, args: string[], returns: string, ask: Ask): Promise<unknown> {
    return this.#begin(id, "registerFunction", [name, args, returns, ask]);
  }

  answer(request: number, answered: Answered): void {
    const [values, error] = "values" in answered ? [answered.values, ""] : [undefined, answered.error];
    void this.#guarded(() => this.#raw.answer(request, values, error)).then(
      () => this.#wake(),
      () => {},
    );
  }

  #begin(id: number, method: Exclude<Method, "memory"> | "registerFunction", args: unknown[]): Promise<unknown> {
    return this.#guarded(() => {
      (this.#raw[method] as (id: number, ...args: unknown[]) => void).call(this.#raw, id, ...args);
      this.#wake();
      return new Promise((resolve, reject) => this.#waiting.set(id, { resolve, reject }));
    });
  }

  cancel(id: number): void {
    void this.#guarded(() => this.#raw.cancel(id)).then(
      () => this.#wake(),
      () => {},
    );
  }

  closeResult(id: number): void {
    void this.#guarded(() => this.#raw.close(id)).catch(() => {});
  }

  close(): void {
    if (this.#ended) return;
    this.#end(new EngineError("engine_closed", "the engine was closed"));
    // A working engine is in use; the work loop frees it at its end.
    if (!this.#works) this.#raw.free();
  }

  /** An exception out of the engine, other than a returned error, means that the engine has crashed. */
  async #guarded<T>(work: () => T | Promise<T>): Promise<T> {
    if (this.#ended) throw this.#ended;
    let begun: T | Promise<T>;
    try {
      begun = work();
    } catch (thrown) {
      throw this.#crashed(thrown);
    }
    return begun;
  }

  #crashed(thrown: unknown): EngineError {
    const why = thrown instanceof Error ? thrown.message : String(thrown);
    const error = new EngineError("engine_crashed", `the engine crashed, create another: ${why}`, { cause: thrown });
    this.#end(error);
    return error;
  }

  #end(error: EngineError): void {
    this.#ended ??= error;
    const waiting = [...this.#waiting.values()];
    this.#waiting.clear();
    for (const call of waiting) call.reject(error);
    this.#kick?.();
  }

  #wake(): void {
    if (this.#works) {
      this.#kick?.();
      return;
    }
    this.#works = true;
    // Calls of the same microtask turn start together.
    queueMicrotask(() => void this.#work());
  }

  async #work(): Promise<void> {
    while (!this.#ended) {
      let ended: unknown[];
      try {
        ended = this.#raw.turn();
      } catch (thrown) {
        this.#crashed(thrown);
        break;
      }
      for (let at = 1; at < ended.length; at += 3) {
        const id = ended[at] as number;
        const call = this.#waiting.get(id);
        this.#waiting.delete(id);
        if (ended[at + 1]) call?.resolve(ended[at + 2]);
        else call?.reject(engineError(ended[at + 2]));
      }
      if (ended[0] === NONE) break;
      await macrotask();
      if (ended[0] === WAITS) await this.#rest();
    }
    this.#works = false;
    // The engine was closed during a turn, where it could not be freed.
    if (this.#ended?.code === "engine_closed") this.#raw.free();
  }

  #rest(): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(done, REST_MS);
      this.#kick = done;
      const self = this;
      function done() {
        clearTimeout(timer);
        self.#kick = undefined;
        resolve();
      }
    });
  }
}

function engineError(thrown: unknown): EngineError {
  const { code, message } = thrown as { code?: ErrorCode; message?: string };
  return new EngineError(code ?? "internal", message ?? String(thrown));
}

async function compiled(wasm: WasmSource): Promise<WebAssembly.Module> {
  if (wasm instanceof WebAssembly.Module) return wasm;
  if (typeof wasm !== "string" && !(wasm instanceof URL)) return compile(wasm);
  const url = String(wasm);
  let response: Response;
  try {
    response = await fetch(url);
  } catch (cause) {
    throw new EngineError("unavailable", `the engine's WebAssembly cannot be fetched from ${url}`, { cause });
  }
  if (!response.ok) {
    throw new EngineError("unavailable", `the engine's WebAssembly is not at ${url}: status ${response.status}`);
  }
  const type = response.headers.get("content-type") ?? "";
  if (type.startsWith("application/wasm")) return WebAssembly.compileStreaming(response);
  return compile(await response.arrayBuffer());
}

declare const setImmediate: ((work: () => void) => void) | undefined;

/** Resolves after the event loop had a turn for messages, timers and input. */
const macrotask: () => Promise<void> =
  typeof setImmediate === "function" ? () => new Promise((resolve) => setImmediate!(resolve)) : messages();

function messages(): () => Promise<void> {
  let channel: MessageChannel | undefined;
  const waiting: (() => void)[] = [];
  return () =>
    new Promise((resolve) => {
      if (!channel) {
        channel = new MessageChannel();
        channel.port1.onmessage = () => waiting.shift()?.();
      }
      waiting.push(resolve);
      channel.port2.postMessage(null);
    });
}
