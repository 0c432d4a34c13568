export const signIn = {
  'sign_in.title': 'Sign in',
  'sign_in.github': 'Continue with GitHub',
  'sign_in.or': 'or',
  'sign_in.username': 'User name',
  'sign_in.password': 'Password',
  'sign_in.submit': 'Sign in',
  'sign_in.caps': 'Caps Lock is on.',
  'sign_in.wrong': 'User name or password is wrong.',
  'sign_in.locked': 'Too many failed tries. Try again in {seconds} s.',
  'sign_in.again': 'Sign in again',
  'sign_in.first_password': 'The password of the first start is in the terminal where the router runs.',
};
