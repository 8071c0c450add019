import type { Backend, CallOptions, Method, Progress, Start } from "./backend.js";
import { EngineError, type SentError } from "./errors.js";
import { evaluate, type ScalarFunction } from "./functions.js";
import type { Answer, Request } from "./serve.js";

/** A worker of a page or of Node.js. */
export interface WorkerLike {
  post(request: Request, transfer: ArrayBuffer[]): void;
  listen(onAnswer: (answer: Answer) => void, onFailure: (why: string) => void): void;
  /** Sets whether the worker keeps the process alive. */
  hold?(busy: boolean): void;
  terminate(): void;
}

interface Waiting {
  resolve: (value: unknown) => void;
  reject: (error: unknown) => void;
  onProgress?: ((progress: Progress) => void) | undefined;
}

/** An engine in a worker. */
export class Remote implements Backend {
  #worker: WorkerLike;
  #waiting = new Map<number, Waiting>();
  #functions = new Map<number, ScalarFunction>();
  #ended: EngineError | undefined;

  private constructor(worker: WorkerLike) {
    this.#worker = worker;
  }

  static async start(worker: WorkerLike, start: Start): Promise<Remote> {
    const remote = new Remote(worker);
    worker.hold?.(true);
    await new Promise<void>((resolve, reject) => {
      worker.listen(
        (answer) => {
          if (answer.kind === "ready") resolve();
          else if (answer.kind === "notReady") reject(received(answer.error));
          else remote.#receive(answer);
        },
        (why) => {
          const error = new EngineError("engine_crashed", `the engine's worker ended: ${why}`);
          reject(error);
          remote.#end(error);
          worker.terminate();
        },
      );
      worker.post({ kind: "start", start }, []);
    }).catch((error) => {
      worker.terminate();
      throw error;
    });
    worker.hold?.(false);
    return remote;
  }

  call(id: number, method: Method, args: unknown[], options?: CallOptions): Promise<unknown> {
    const onProgress = options?.onProgress;
    const request = { kind: "call", id, method, args, progress: onProgress !== undefined } as const;
    return this.#begin(request, options?.transfer ?? [], onProgress);
  }

  async #begin(
    request: Request & { id: number },
    transfer: ArrayBuffer[],
    onProgress?: (progress: Progress) => void,
  ): Promise<unknown> {
    if (this.#ended) throw this.#ended;
    try {
      this.#worker.post(request, transfer);
    } catch (cause) {
      throw new EngineError("invalid", `a parameter cannot be sent to the engine's worker: ${cause}`, { cause });
    }
    if (this.#waiting.size === 0) this.#worker.hold?.(true);
    return new Promise((resolve, reject) => this.#waiting.set(request.id, { resolve, reject, onProgress }));
  }

  register(id: number, name: string, args: string[], returns: string, fn: ScalarFunction): Promise<unknown> {
    this.#functions.set(id, fn);
    return this.#begin({ kind: "register", id, name, args, returns }, []);
  }

  cancel(id: number): void {
    if (!this.#ended) this.#worker.post({ kind: "cancel", id }, []);
  }

  closeResult(id: number): void {
    if (!this.#ended) this.#worker.post({ kind: "closeResult", id }, []);
  }

  close(): void {
    this.#end(new EngineError("engine_closed", "the engine was closed"));
    this.#worker.terminate();
  }

  #receive(answer: Answer): void {
    if (!("id" in answer)) return;
    if (answer.kind === "ask") {
      void this.#answer(answer.id, answer.request, answer.columns, answer.rows);
      return;
    }
    const call = this.#waiting.get(answer.id);
    if (answer.kind === "progress") {
      call?.onProgress?.({ rows: answer.rows, bytes: answer.bytes });
      return;
    }
    this.#waiting.delete(answer.id);
    if (this.#waiting.size === 0) this.#worker.hold?.(false);
    if (answer.kind === "done") {
      call?.resolve(answer.value);
      return;
    }
    const error = received(answer.error);
    call?.reject(error);
    if (error.code !== "engine_crashed") return;
    this.#end(error);
    this.#worker.terminate();
  }

  async #answer(id: number, request: number, columns: unknown[][], rows: number): Promise<void> {
    const answered = await evaluate(this.#functions.get(id)!, columns, rows);
    if (this.#ended) return;
    try {
      this.#worker.post({ kind: "answer", request, answered }, []);
    } catch (cause) {
      const error = `a value cannot be sent to the engine's worker: ${cause}`;
      this.#worker.post({ kind: "answer", request, answered: { error } }, []);
    }
  }

  #end(error: EngineError): void {
    this.#ended ??= error;
    const waiting = [...this.#waiting.values()];
    this.#waiting.clear();
    for (const call of waiting) call.reject(error);
    this.#worker.hold?.(false);
  }
}

function received(error: SentError): EngineError {
  return new EngineError(error.code, error.message);
}
