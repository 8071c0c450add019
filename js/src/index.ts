import { Engine as Base, type EngineOptions } from "./engine.js";
import type { Answer } from "./serve.js";
import { type Platform, start } from "./start.js";

export * from "./exports.js";

const platform: Platform = {
  createWorker() {
    const worker = new Worker(new URL("./worker.js", import.meta.url), { type: "module" });
    return {
      post: (request, transfer) => worker.postMessage(request, transfer),
      listen: (onAnswer, onFailure) => {
        worker.onmessage = (event: MessageEvent<Answer>) => onAnswer(event.data);
        worker.onerror = (event) => onFailure(event.message || "its script could not be loaded");
      },
      terminate: () => worker.terminate(),
    };
  },
  async wasm(given) {
    const source = given ?? new URL("./rhei_datafusion.wasm", import.meta.url);
    // A worker has another base URL, and a `URL` object cannot be posted to it.
    if (typeof source === "string" || source instanceof URL) return new URL(source, globalThis.location?.href).href;
    return source;
  },
};

/** An in-memory SQL engine. */
export class Engine extends Base {
  /** Starts an engine, by default in a worker of its own. */
  static async create(options?: EngineOptions): Promise<Engine> {
    return new Engine(await start(platform, options));
  }
}
