import { type Request, serve } from "./serve.js";

interface Scope {
  postMessage(message: unknown, transfer: ArrayBuffer[]): void;
  onmessage: ((event: { data: Request }) => void) | null;
}

const scope = globalThis as unknown as Scope;
serve({
  post: (answer, transfer) => scope.postMessage(answer, transfer),
  listen: (listener) => {
    scope.onmessage = (event) => listener(event.data);
  },
});
