import clsx from 'clsx';
import type { ReactNode } from 'react';

export interface Column<Row> {
  id: string;
  head: ReactNode;
  cell: (row: Row) => ReactNode;
  align?: 'right';
  /** Left out on narrow screens. */
  wide?: boolean;
  width?: string;
}

interface Props<Row> {
  label: string;
  columns: Column<Row>[];
  rows: readonly Row[];
  id: (row: Row) => string;
  /** Whether a row is out of use: its text is muted, and it says so itself. */
  muted?: (row: Row) => boolean;
}

/** A table of some hundred rows at most; the log has a virtual list of its own. Scrolls sideways inside itself. */
export function Table<Row>({ label, columns, rows, id, muted }: Props<Row>) {
  return (
    <div className="relative overflow-x-auto" role="region" aria-label={label} tabIndex={0}>
      <table className="w-full border-collapse text-sm">
        <thead>
          <tr className="border-b border-line">
            {columns.map((column) => (
              <th
                key={column.id}
                scope="col"
                className={clsx(
                  'h-10 px-3 text-left text-xs font-semibold whitespace-nowrap first:pl-4 last:pr-4',
                  column.align === 'right' && 'text-right',
                  column.wide && 'hidden lg:table-cell',
                  column.width,
                )}
              >
                {column.head}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {rows.map((row) => (
            <tr
              key={id(row)}
              data-row
              className={clsx('border-b border-line last:border-0 hover:bg-soft/60', muted?.(row) && 'text-mut')}
            >
              {columns.map((column) => (
                <td
                  key={column.id}
                  className={clsx(
                    'px-3 py-2 align-middle first:pl-4 last:pr-4',
                    column.align === 'right' && 'text-right',
                    column.wide && 'hidden lg:table-cell',
                  )}
                >
                  {column.cell(row)}
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
