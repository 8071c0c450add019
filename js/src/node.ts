import { readFile } from "node:fs/promises";
import { Worker } from "node:worker_threads";
import { start, type Platform } from "./start.js";
import { Engine as Base, type EngineOptions } from "./engine.js";
import type { Answer } from "./serve.js";

export * from "./exports.js";

const platform: Platform = {
  createWorker() {
    const worker = new Worker(new URL("./worker-node.js", import.meta.url));
    return {
      post: (request, transfer) => worker.postMessage(request, transfer),
      listen: (onAnswer, onFailure) => {
        worker.on("message", (answer: Answer) => onAnswer(answer));
        worker.on("error", (error) => onFailure(error.message));
      },
      hold: (busy) => (busy ? worker.ref() : worker.unref()),
      terminate: () => void worker.terminate(),
    };
  },
  async wasm(given) {
    const source = given ?? new URL("./rhei_datafusion.wasm", import.meta.url);
    if (source instanceof URL && source.protocol === "file:") return WebAssembly.compile(await readFile(source));
    if (typeof source === "string" && !/^https?:/.test(source)) return WebAssembly.compile(await readFile(source));
    return source instanceof URL ? source.href : source;
  },
};

/** An in-memory SQL engine. */
export class Engine extends Base {
  /** Starts an engine, by default in a worker of its own. */
  static async create(options?: EngineOptions): Promise<Engine> {
    return new Engine(await start(platform, options));
  }
}
