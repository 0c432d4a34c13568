import { QueryClientProvider } from '@tanstack/react-query';
import { RouterProvider } from '@tanstack/react-router';
import { queryClient } from '../api/queries';
import { KitRoot } from '../ui';
import { router } from './router';

export function App() {
  return (
    <QueryClientProvider client={queryClient}>
      <KitRoot>
        <RouterProvider router={router} />
      </KitRoot>
    </QueryClientProvider>
  );
}
