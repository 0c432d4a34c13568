import { CSPProvider } from '@base-ui/react/csp-provider';
import type { ReactNode } from 'react';
import { Toasts } from './Toast';

/** What the kit needs around the whole page: no style elements of its own, since the content policy forbids them. */
export function KitRoot({ children }: { children: ReactNode }) {
  return (
    <CSPProvider disableStyleElements>
      <Toasts>{children}</Toasts>
    </CSPProvider>
  );
}
