// npx vite@6.4.6 build
export default {
  base: "./",
  build: {
    manifest: "manifest.json",
    outDir: "dist",
    sourcemap: true,
    rollupOptions: { input: "src/main.js", preserveEntrySignatures: "exports-only" },
  },
};
