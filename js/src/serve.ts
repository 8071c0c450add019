import type { Method, Start } from "./backend.js";
import { EngineError, type SentError } from "./errors.js";
import type { Answered } from "./functions.js";
import { type Ask, Host } from "./host.js";

/** A message to the worker. */
export type Request =
  | { kind: "start"; start: Start }
  | { kind: "call"; id: number; method: Method; args: unknown[]; progress: boolean }
  | { kind: "register"; id: number; name: string; args: string[]; returns: string }
  | { kind: "answer"; request: number; answered: Answered }
  | { kind: "cancel"; id: number }
  | { kind: "closeResult"; id: number };

/** A message from the worker. */
export type Answer =
  | { kind: "ready" }
  | { kind: "notReady"; error: SentError }
  | { kind: "done"; id: number; value: unknown }
  | { kind: "failed"; id: number; error: SentError }
  | { kind: "ask"; id: number; request: number; columns: unknown[][]; rows: number }
  | { kind: "progress"; id: number; rows: number; bytes: number };

/** The worker's side of a channel. */
export interface Port {
  post(answer: Answer, transfer: ArrayBuffer[]): void;
  listen(listener: (request: Request) => void): void;
}

/** Runs an engine for the other end of a port. */
export function serve(port: Port): void {
  let host: Host | undefined;
  const settle = (id: number, call: Promise<unknown>) =>
    call.then(
      (value) => port.post({ kind: "done", id, value }, buffers(value)),
      (error) => port.post({ kind: "failed", id, error: sent(error) }, []),
    );
  port.listen((request) => {
    switch (request.kind) {
      case "start":
        Host.start(request.start).then(
          (started) => {
            host = started;
            port.post({ kind: "ready" }, []);
          },
          (error) => port.post({ kind: "notReady", error: sent(error) }, []),
        );
        break;
      case "call": {
        const { id, method, args } = request;
        const onProgress = request.progress
          ? ({ rows, bytes }: { rows: number; bytes: number }) => port.post({ kind: "progress", id, rows, bytes }, [])
          : undefined;
        settle(id, host!.call(id, method, args, { onProgress }));
        break;
      }
      case "register": {
        const { id, name, args, returns } = request;
        const ask: Ask = (asked, columns, rows) => port.post({ kind: "ask", id, request: asked, columns, rows }, []);
        settle(id, host!.registerAsk(id, name, args, returns, ask));
        break;
      }
      case "answer":
        host!.answer(request.request, request.answered);
        break;
      case "cancel":
        host!.cancel(request.id);
        break;
      case "closeResult":
        host!.closeResult(request.id);
        break;
    }
  });
}

function sent(error: unknown): SentError {
  if (error instanceof EngineError) return { code: error.code, message: error.message };
  return { code: "internal", message: error instanceof Error ? error.message : String(error) };
}

/** The buffers of a value, which are transferred instead of copied. */
function buffers(value: unknown): ArrayBuffer[] {
  const found = Array.isArray(value) ? value : [value];
  return found.filter((part) => part instanceof Uint8Array).map((part) => part.buffer as ArrayBuffer);
}
