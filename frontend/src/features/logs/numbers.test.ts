import { expect, test } from 'vitest';
import type { LogRow } from '../../api/client';
import { speedOf, stagesOf } from './numbers';

const row = (changes: Partial<LogRow>): LogRow =>
  ({
    duration_ms: 1400,
    timings: { admission_ms: 4, queue_ms: null, connect_ms: 20, first_token_ms: 300, generation_ms: 1000 },
    attempts: [],
    usage: null,
    ...changes,
  }) as unknown as LogRow;

test('the stages of a request sum up to its duration', () => {
  const failed = { outcome: 'rate_limited', ms: 50 } as LogRow['attempts'][number];
  const stages = stagesOf(row({ attempts: [failed] }));
  expect(stages.map((stage) => stage.id)).toEqual([
    'admission_ms',
    'failed',
    'connect_ms',
    'first_token_ms',
    'generation_ms',
    'other',
  ]);
  expect(stages.reduce((sum, stage) => sum + stage.ms, 0)).toBe(1400);
});

test('failed attempts never take more than the time that is left', () => {
  const failed = { outcome: 'overloaded', ms: 5000 } as LogRow['attempts'][number];
  expect(stagesOf(row({ attempts: [failed] })).reduce((sum, stage) => sum + stage.ms, 0)).toBe(1400);
});

test('speed is told only where something was generated', () => {
  expect(speedOf(row({}))).toBeNull();
  const usage = { output_tokens: 50 } as NonNullable<LogRow['usage']>;
  expect(speedOf(row({ usage }))).toBe(50);
});
