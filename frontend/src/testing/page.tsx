/** A page as the tests see it: in English, with a server that answers from a table. */
import { QueryClient, QueryClientProvider } from '@tanstack/react-query';
import { render } from '@testing-library/react';
import { vi } from 'vitest';
import type { ReactNode } from 'react';
import { en } from '../i18n/en';
import { SpeechProvider } from '../i18n/SpeechProvider';
import { KitRoot } from '../ui';

export function renderPage(page: ReactNode) {
  const client = new QueryClient({ defaultOptions: { queries: { retry: false } } });
  return render(
    <SpeechProvider language="en" catalogue={en}>
      <QueryClientProvider client={client}>
        <KitRoot>{page}</KitRoot>
      </QueryClientProvider>
    </SpeechProvider>,
  );
}

type Answer = { status?: number; body?: unknown };
export interface Asked {
  method: string;
  path: string;
  body: unknown;
  headers: Headers;
}

/** Answers by «METHOD /path»; returns what was asked, in order. A question that nobody expects fails the test. */
export function serve(answers: Record<string, Answer | ((asked: Asked) => Answer)>): Asked[] {
  const asked: Asked[] = [];
  vi.stubGlobal('fetch', async (request: Request) => {
    const path = new URL(request.url).pathname;
    const text = await request.text();
    const question = {
      method: request.method,
      path,
      body: text ? JSON.parse(text) : undefined,
      headers: request.headers,
    };
    asked.push(question);
    const known = answers[`${request.method} ${path}`];
    if (known === undefined) throw new Error(`nobody answers ${request.method} ${path}`);
    const { status = 200, body } = typeof known === 'function' ? known(question) : known;
    return new Response(body === undefined ? null : JSON.stringify(body), {
      status,
      headers: { 'content-type': status >= 400 ? 'application/problem+json' : 'application/json' },
    });
  });
  return asked;
}
