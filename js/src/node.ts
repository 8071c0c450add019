import { readFile } from "node:fs/promises";
import { Worker } from "node:worker_threads";
import { compile } from "./compile.js";
import { Engine as Base, type EngineOptions } from "./engine.js";
import { EngineError } from "./errors.js";
import type { Answer } from "./serve.js";
import { type Platform, start } from "./start.js";

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
    const isUrl = source instanceof URL || (typeof source === "string" && /^[a-z]{2,}:/i.test(source));
    if (!isUrl) return typeof source === "string" ? compiled(source) : source;
    const url = new URL(source);
    return url.protocol === "file:" ? compiled(url) : url.href;
  },
};

async function compiled(file: string | URL): Promise<WebAssembly.Module> {
  let bytes: Uint8Array<ArrayBuffer>;
  try {
    bytes = await readFile(file);
  } catch (cause) {
    throw new EngineError("unavailable", `the engine's WebAssembly cannot be read: ${(cause as Error).message}`, {
      cause,
    });
  }
  return compile(bytes);
}

/** An in-memory SQL engine. */
export class Engine extends Base {
  /** Starts an engine, by default in a worker of its own. */
  static async create(options?: EngineOptions): Promise<Engine> {
    return new Engine(await start(platform, options));
  }
}
