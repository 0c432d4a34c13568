import { common } from './common';
import { keys } from './keys';
import { logs } from './logs';
import { people } from './people';
import { platforms } from './platforms';
import { signIn } from './sign_in';
import { usage } from './usage';

/** Every text of the product; the keys of this object are the source for all other languages. */
export const en = { ...common, ...signIn, ...keys, ...logs, ...platforms, ...people, ...usage };
