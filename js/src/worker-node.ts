import { parentPort } from "node:worker_threads";
import { type Request, serve } from "./serve.js";

serve({
  post: (answer, transfer) => parentPort!.postMessage(answer, transfer),
  listen: (listener) => parentPort!.on("message", (request: Request) => listener(request)),
});
