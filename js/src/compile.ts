import { EngineError } from "./errors.js";

/** Compiles the engine. */
export async function compile(bytes: BufferSource): Promise<WebAssembly.Module> {
  try {
    return await WebAssembly.compile(bytes);
  } catch (cause) {
    throw new EngineError("invalid", `this is no WebAssembly: ${cause}`, { cause });
  }
}
