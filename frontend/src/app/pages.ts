import {
  ChartColumn,
  History,
  KeyRound,
  LayoutDashboard,
  ListTree,
  Plug,
  Settings,
  Users,
  type LucideIcon,
} from 'lucide-react';
import type { Key } from '../i18n';

export interface PageEntry {
  path: string;
  icon: LucideIcon;
  /** Its name for administrators, and for members where theirs differs; null: not for them. */
  admin: Key | null;
  member: Key | null;
  /** The second key after `g`. */
  letter?: string;
  /** Starts a new group in the navigation. */
  group?: boolean;
}

/** Every page that the navigation, the palette and the shortcuts know. */
export const PAGES: PageEntry[] = [
  { path: '/', icon: LayoutDashboard, admin: 'nav.overview', member: 'nav.home', letter: 'o' },
  { path: '/keys', icon: KeyRound, admin: 'nav.keys', member: 'nav.my_keys', letter: 'k' },
  { path: '/logs', icon: ListTree, admin: 'nav.logs', member: 'nav.my_logs', letter: 'l' },
  { path: '/usage', icon: ChartColumn, admin: 'nav.usage', member: 'nav.my_usage', letter: 'u' },
  { path: '/platforms', icon: Plug, admin: 'nav.platforms', member: null, letter: 'p', group: true },
  { path: '/users', icon: Users, admin: 'nav.users', member: null, group: true },
  { path: '/audit', icon: History, admin: 'nav.audit', member: null },
  { path: '/settings', icon: Settings, admin: 'nav.settings', member: null },
];

export const pageName = (page: PageEntry, role: string): Key | null => (role === 'admin' ? page.admin : page.member);
