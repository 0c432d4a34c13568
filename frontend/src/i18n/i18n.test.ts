import { expect, test } from 'vitest';
import { makeTranslate, preferredLanguage } from '.';
import { en } from './en';
import { zhCN } from './zh-CN';

const holes = (text: string) => [...text.matchAll(/\{(\w+)\}/g)].map(([, name]) => name).toSorted();

test('both languages have the same texts with the same holes', () => {
  expect(Object.keys(zhCN).toSorted()).toEqual(Object.keys(en).toSorted());
  for (const [key, text] of Object.entries(en)) {
    expect([key, holes(zhCN[key as keyof typeof en])]).toEqual([key, holes(text)]);
  }
});

test('English texts hold no Chinese, except the name of the language itself', () => {
  const found = Object.entries(en).filter(
    ([key, text]) => /\p{Script=Han}/u.test(text) && key !== 'app.language.switch',
  );
  expect(found).toEqual([]);
});

test('Chinese texts are Chinese, except words of the product and of shells', () => {
  const same = Object.entries(zhCN).filter(([, text]) => !/\p{Script=Han}/u.test(text));
  const words = /^(Claude Code Router|EN|curl|bash \/ zsh|PowerShell|settings\.json|\{.*\}|[\s\S]*tok\/s|Token|API|–)$/;
  expect(same.filter(([, text]) => !words.test(text))).toEqual([]);
});

test('a number chooses the form of its text', () => {
  const t = makeTranslate('en', en);
  expect(t('keys.requests', { n: 1 })).toBe('1 request');
  expect(t('keys.requests', { n: 2 })).toBe('2 requests');
  expect(makeTranslate('zh-CN', zhCN)('keys.requests', { n: 1 })).toBe('1 次请求');
});

test('the first language of the browser that we speak is taken', () => {
  expect(preferredLanguage(['fr-FR', 'zh-TW', 'en'])).toBe('zh-CN');
  expect(preferredLanguage(['fr'])).toBe('en');
});
