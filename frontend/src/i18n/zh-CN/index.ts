import type { Catalogue } from '..';
import { common } from './common';
import { keys } from './keys';
import { logs } from './logs';
import { people } from './people';
import { platforms } from './platforms';
import { signIn } from './sign_in';
import { usage } from './usage';

export const zhCN: Catalogue = { ...common, ...signIn, ...keys, ...logs, ...platforms, ...people, ...usage };
