import tailwindcss from '@tailwindcss/vite';
import react from '@vitejs/plugin-react';
import { defineConfig } from 'vitest/config';

export default defineConfig({
  plugins: [react(), tailwindcss()],
  build: {
    // Vite lowers light-dark() and friends for older browsers, which changes colours; these have what we use.
    cssTarget: ['chrome123', 'firefox128', 'safari17.5'],
    manifest: true,
    // A font or picture as data: address would need a wider content policy.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
  },
  server: {
    port: 5173,
    proxy: { '^/(api|proxy|v1|health)(/|$)': process.env.CCR_UI_BACKEND ?? 'http://localhost:3000' },
  },
  test: {
    environment: 'happy-dom',
    include: ['src/**/*.test.{ts,tsx}'],
    setupFiles: ['src/testing/setup.ts'],
    restoreMocks: true,
  },
});
