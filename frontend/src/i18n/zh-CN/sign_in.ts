import type { signIn as english } from '../en/sign_in';

export const signIn: Record<keyof typeof english, string> = {
  'sign_in.title': '登录',
  'sign_in.github': '使用 GitHub 继续',
  'sign_in.or': '或',
  'sign_in.username': '用户名',
  'sign_in.password': '密码',
  'sign_in.submit': '登录',
  'sign_in.caps': '大写锁定已开启。',
  'sign_in.wrong': '用户名或密码错误。',
  'sign_in.locked': '失败次数过多。请在 {seconds} 秒后重试。',
  'sign_in.again': '重新登录',
  'sign_in.first_password': '首次启动的密码显示在运行路由服务的终端中。',
};
