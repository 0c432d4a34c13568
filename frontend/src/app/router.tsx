import { createRootRoute, createRoute, createRouter, lazyRouteComponent, Outlet } from '@tanstack/react-router';
import { readLogFilters } from '../features/logs/filters';
import { BrokenPage, MissingPage } from './Broken';
import { Shell } from './Shell';

const root = createRootRoute({ component: Outlet, notFoundComponent: MissingPage, errorComponent: BrokenPage });

const login = createRoute({
  getParentRoute: () => root,
  path: '/login',
  validateSearch: (search: Record<string, unknown>) => ({
    ...(typeof search['next'] === 'string' && { next: search['next'] }),
    ...(typeof search['error'] === 'string' && { error: search['error'] }),
  }),
  component: lazyRouteComponent(() => import('../features/sign_in/LoginPage')),
});

/** Everything behind the sign-in. */
const shell = createRoute({ getParentRoute: () => root, id: 'shell', component: Shell });

const words = (search: Record<string, unknown>, ...names: string[]): Record<string, string> =>
  Object.fromEntries(names.flatMap((name) => (search[name] ? [[name, String(search[name])]] : [])));

const home = createRoute({
  getParentRoute: () => shell,
  path: '/',
  validateSearch: (search: Record<string, unknown>): { range?: string } => words(search, 'range'),
  component: lazyRouteComponent(() => import('../features/overview/OverviewPage')),
});

const usage = createRoute({
  getParentRoute: () => shell,
  path: '/usage',
  validateSearch: (search: Record<string, unknown>): { range?: string; metric?: string; group?: string; by?: string } =>
    words(search, 'range', 'metric', 'group', 'by'),
  component: lazyRouteComponent(() => import('../features/usage/UsagePage')),
});

const keys = createRoute({
  getParentRoute: () => shell,
  path: '/keys',
  validateSearch: (search: Record<string, unknown>) => ({
    ...(typeof search['q'] === 'string' && search['q'] && { q: search['q'] }),
    ...(typeof search['tab'] === 'string' && { tab: search['tab'] }),
    ...(typeof search['status'] === 'string' && { status: search['status'] }),
  }),
  component: lazyRouteComponent(() => import('../features/keys/KeysPage')),
});

const logs = createRoute({
  getParentRoute: () => shell,
  path: '/logs',
  validateSearch: readLogFilters,
  component: lazyRouteComponent(() => import('../features/logs/LogsPage')),
});

const platforms = createRoute({
  getParentRoute: () => shell,
  path: '/platforms',
  component: lazyRouteComponent(() => import('../features/platforms/PlatformsPage')),
});

const users = createRoute({
  getParentRoute: () => shell,
  path: '/users',
  component: lazyRouteComponent(() => import('../features/users/UsersPage')),
});

const audit = createRoute({
  getParentRoute: () => shell,
  path: '/audit',
  component: lazyRouteComponent(() => import('../features/audit/AuditPage')),
});

const settings = createRoute({
  getParentRoute: () => shell,
  path: '/settings',
  component: lazyRouteComponent(() => import('../features/settings/SettingsPage')),
});

export const router = createRouter({
  routeTree: root.addChildren([login, shell.addChildren([home, keys, logs, usage, platforms, users, audit, settings])]),
  defaultPreload: 'intent',
  scrollRestoration: true,
  // Search values are plain words in the address: ?status=error, not ?status="error".
  parseSearch: (text) => Object.fromEntries(new URLSearchParams(text)),
  stringifySearch: (search) => {
    const given = Object.entries(search).filter(([, value]) => value !== undefined && value !== '');
    const text = new URLSearchParams(given.map(([name, value]) => [name, String(value)])).toString();
    return text && `?${text}`;
  },
});

declare module '@tanstack/react-router' {
  interface Register {
    router: typeof router;
  }
}
