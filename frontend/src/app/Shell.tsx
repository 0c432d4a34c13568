import { useQuery, useQueryClient } from '@tanstack/react-query';
import { Link, Outlet, useNavigate, useRouterState } from '@tanstack/react-router';
import clsx from 'clsx';
import { Keyboard, Languages, LogOut, Menu as MenuIcon, Monitor, Moon, Route, Search, Sun } from 'lucide-react';
import { lazy, Suspense, useEffect, useState } from 'react';
import { ApiError } from '../api/client';
import { meQuery } from '../api/queries';
import { useSpeech } from '../i18n';
import { focusFilter, useShortcuts } from '../lib/keys';
import { currentTheme, setTheme, type Theme } from '../lib/theme';
import { wordsOf } from '../lib/problems';
import { Failure, IconButton, Menu, Notice, Sheet, Skeleton } from '../ui';
import { pageName, PAGES } from './pages';
import { signOut, useMe } from './session';
import { SignInAgain } from './SignInAgain';

const loadPalette = () => import('./Palette');
const Palette = lazy(loadPalette);
const Shortcuts = lazy(() => import('./Shortcuts'));

/** The frame of every page behind the sign-in; sends who is not signed in to the door and brings them back. */
export function Shell() {
  const { t } = useSpeech();
  const navigate = useNavigate();
  const me = useQuery(meQuery);
  const href = useRouterState({ select: (state) => state.location.href });
  const signedOut = me.error instanceof ApiError && me.error.status === 401;
  useEffect(() => {
    // While the door's page is still being fetched this one stays, and the address is already the door's.
    if (signedOut && me.data === undefined && !href.startsWith('/login')) {
      void navigate({ to: '/login', search: { next: href }, replace: true });
    }
  }, [signedOut, me.data, navigate, href]);
  if (me.data !== undefined) return <Frame sessionEnded={signedOut} />;
  if (me.error && !signedOut) {
    return (
      <main>
        <Failure title={t('state.error')} message={wordsOf(me.error, t)} onRetry={() => void me.refetch()} />
      </main>
    );
  }
  return (
    <main>
      <Skeleton />
    </main>
  );
}

function Frame({ sessionEnded }: { sessionEnded: boolean }) {
  const { t, language, setLanguage } = useSpeech();
  const navigate = useNavigate();
  const client = useQueryClient();
  const me = useMe();
  const [navigation, setNavigation] = useState(false);
  const [palette, setPalette] = useState(false);
  const [shortcuts, setShortcuts] = useState(false);
  const online = useOnline();

  const goes = Object.fromEntries(
    PAGES.filter((page) => page.letter && pageName(page, me.role)).map((page) => [
      `g ${page.letter}`,
      () => void navigate({ to: page.path }),
    ]),
  );
  useShortcuts({
    ...goes,
    '/': focusFilter,
    '?': () => setShortcuts(true),
    r: () => void client.invalidateQueries({ predicate: (query) => query.queryKey[0] !== 'me' }),
  });
  useEffect(() => {
    const onKey = (event: KeyboardEvent) => {
      if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === 'k') {
        event.preventDefault();
        setPalette(true);
      }
    };
    window.addEventListener('keydown', onKey);
    // The palette is fetched while nothing else is: a chunk that arrives late would lose the first keys typed.
    const idle = setTimeout(() => void loadPalette(), 2000);
    return () => {
      window.removeEventListener('keydown', onKey);
      clearTimeout(idle);
    };
  }, []);

  return (
    <>
      <a
        href="#content"
        className="fixed top-2 left-2 z-50 -translate-y-16 rounded-md bg-acc px-3 py-2 text-on-acc focus:translate-y-0"
      >
        {t('app.skip')}
      </a>
      <header className="sticky top-0 z-30 flex h-14 items-center gap-2 border-b border-line bg-panel px-3 sm:px-4">
        <span className="lg:hidden">
          <IconButton icon={MenuIcon} label={t('app.menu')} onClick={() => setNavigation(true)} />
        </span>
        <Link to="/" className="flex min-w-0 items-center gap-2 rounded-md text-base font-semibold">
          <Route className="size-5 shrink-0 text-acc" aria-hidden />
          <span className="hidden truncate min-[480px]:inline">{t('app.name')}</span>
        </Link>
        <span className="flex-1" />
        <button
          type="button"
          onClick={() => setPalette(true)}
          className="hidden h-9 w-56 items-center gap-2 rounded-md border border-line bg-panel px-3 text-base text-mut hover:bg-soft md:inline-flex"
        >
          <Search className="size-4" aria-hidden />
          <span className="flex-1 truncate text-left">{t('app.palette')}</span>
          <kbd className="rounded border border-line px-1 font-mono text-xs">Ctrl K</kbd>
        </button>
        <span className="md:hidden">
          <IconButton icon={Search} label={t('app.palette')} onClick={() => setPalette(true)} />
        </span>
        <button
          type="button"
          lang={language === 'en' ? 'zh-CN' : 'en'}
          onClick={() => setLanguage(language === 'en' ? 'zh-CN' : 'en')}
          className="inline-flex h-9 items-center gap-1.5 rounded-md border border-line bg-panel px-2.5 text-base hover:bg-soft"
        >
          <Languages className="size-4" aria-hidden />
          {t('app.language.switch')}
        </button>
        <ThemeMenu />
        <Menu
          trigger={
            <button
              type="button"
              aria-label={`${t('app.account')}: ${me.name ?? me.login}`}
              className="inline-flex size-9 items-center justify-center rounded-full bg-acc-soft text-base font-semibold text-acc"
            >
              {(me.name ?? me.login).slice(0, 1).toUpperCase()}
            </button>
          }
          entries={[
            { label: t('app.shortcuts'), icon: Keyboard, onSelect: () => setShortcuts(true) },
            null,
            {
              label: t('app.sign_out'),
              icon: LogOut,
              onSelect: () => void signOut().then(() => navigate({ to: '/login' })),
            },
          ]}
        />
      </header>
      <div className="flex">
        <div className="sticky top-14 hidden h-[calc(100vh-56px)] w-[228px] shrink-0 overflow-y-auto border-r border-line bg-panel p-3 lg:block">
          <Navigation role={me.role} />
        </div>
        <main id="content" tabIndex={-1} className="min-w-0 flex-1 outline-none">
          {!online && (
            <div className="px-4 pt-4">
              <Notice>{t('app.offline')}</Notice>
            </div>
          )}
          <Outlet />
        </main>
      </div>
      <Sheet open={navigation} onClose={() => setNavigation(false)} title={t('app.name')} side="left" width="w-[280px]">
        <div className="p-3">
          <Navigation role={me.role} onGo={() => setNavigation(false)} />
        </div>
      </Sheet>
      <Suspense>
        {palette && <Palette onClose={() => setPalette(false)} />}
        {shortcuts && <Shortcuts onClose={() => setShortcuts(false)} />}
      </Suspense>
      {sessionEnded && <SignInAgain login={me.login} />}
    </>
  );
}

function Navigation({ role, onGo }: { role: string; onGo?: () => void }) {
  const { t } = useSpeech();
  return (
    <nav aria-label={t('app.menu')}>
      <ul className="flex flex-col gap-0.5">
        {PAGES.map((page) => {
          const name = pageName(page, role);
          if (name === null) return null;
          return (
            <li key={page.path} className={clsx(page.group && 'mt-2 border-t border-line pt-2')}>
              <Link
                to={page.path}
                {...(onGo && { onClick: onGo })}
                activeOptions={{ exact: page.path === '/', includeSearch: false }}
                className="flex h-9 items-center gap-3 rounded-md px-3 text-base hover:bg-soft"
                activeProps={{ className: 'bg-acc-soft font-medium text-acc hover:bg-acc-soft!' }}
              >
                <page.icon className="size-4 shrink-0" aria-hidden />
                {t(name)}
              </Link>
            </li>
          );
        })}
      </ul>
    </nav>
  );
}

const THEME_ICONS = { system: Monitor, light: Sun, dark: Moon };

export function ThemeMenu() {
  const { t } = useSpeech();
  const [theme, setShown] = useState<Theme>(currentTheme);
  return (
    <Menu
      trigger={<IconButton icon={THEME_ICONS[theme]} label={t('app.theme')} framed />}
      entries={(['light', 'dark', 'system'] as const).map((choice) => ({
        label: t(`app.theme.${choice}`),
        icon: THEME_ICONS[choice],
        checked: choice === theme,
        onSelect: () => {
          setTheme(choice);
          setShown(choice);
        },
      }))}
    />
  );
}

function useOnline(): boolean {
  const [online, setOnline] = useState(navigator.onLine);
  useEffect(() => {
    const update = () => setOnline(navigator.onLine);
    window.addEventListener('online', update);
    window.addEventListener('offline', update);
    return () => {
      window.removeEventListener('online', update);
      window.removeEventListener('offline', update);
    };
  }, []);
  return online;
}
