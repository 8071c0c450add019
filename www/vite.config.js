import { defineConfig } from "vite";

export default defineConfig({
  // Links and files are found wherever the page lies.
  base: "./",
  // The first that know light-dark() of CSS.
  build: { target: "es2022", cssTarget: ["chrome123", "firefox120", "safari17.5"], chunkSizeWarningLimit: 2000 },
  // Both servers are for this machine.
  server: { port: 4173 },
  preview: { port: 4173 },
});
