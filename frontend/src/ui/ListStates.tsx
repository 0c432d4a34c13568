import type { ReactNode } from 'react';
import { useT } from '../i18n';
import { Button } from './Button';
import { Failure, Skeleton } from './States';

interface Listed {
  isPending: boolean;
  error: unknown;
  hasNextPage: boolean;
  isFetchingNextPage: boolean;
  fetchNextPage: () => unknown;
  refetch: () => unknown;
}

interface Props {
  query: Listed;
  count: number;
  /** What stands there where the list is empty. */
  empty: ReactNode;
  /** The words for an error, and the id of the request that failed. */
  describe: (error: unknown) => { message: string; requestId: string | null };
  children: ReactNode;
  rowHeight?: string;
}

/** The states that every list has: on its way, failed, empty, and with more to come. */
export function ListStates({ query, count, empty, describe, children, rowHeight = 'h-12' }: Props) {
  const t = useT();
  if (query.isPending) return <Skeleton height={rowHeight} />;
  if (query.error && count === 0) {
    return <Failure title={t('state.error')} {...describe(query.error)} onRetry={() => void query.refetch()} />;
  }
  if (count === 0) return empty;
  return (
    <>
      {children}
      {query.hasNextPage && (
        <div className="border-t border-line p-3 text-center">
          <Button busy={query.isFetchingNextPage} onClick={() => void query.fetchNextPage()}>
            {t('action.load_more')}
          </Button>
        </div>
      )}
    </>
  );
}
