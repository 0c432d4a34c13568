import { screen, waitFor } from '@testing-library/react';
import userEvent from '@testing-library/user-event';
import { expect, test, vi } from 'vitest';
import { renderPage, serve } from '../../testing/page';
import { KeyDialog } from './KeyDialog';

const PLATFORMS = {
  items: [
    {
      id: 'anthropic',
      name: 'Anthropic',
      needs_credential: true,
      auth: {},
      options: {},
      base_url: null,
      note: null,
      models: ['opus', 'sonnet', 'haiku'].map((slot) => ({
        id: `claude-${slot}-5-5`,
        name: slot,
        slot,
        context: 200_000,
      })),
    },
  ],
  next_cursor: null,
};

test('a key is made from its name and a preset, once, however often one clicks', async () => {
  const asked = serve({
    'GET /api/v1/platforms': { body: PLATFORMS },
    'POST /api/v1/api-keys': { status: 201, body: { id: 'k1', key: 'sk-ccr-secret' } },
  });
  const onCreated = vi.fn();
  renderPage(<KeyDialog onClose={() => undefined} onCreated={onCreated} />);
  const user = userEvent.setup();
  await user.type(screen.getByLabelText(/^Name/), 'laptop');
  await user.click(screen.getByRole('button', { name: 'Presets' }));
  await user.click(await screen.findByRole('menuitem', { name: 'All anthropic' }));
  await user.dblClick(screen.getByRole('button', { name: 'Create key' }));
  await waitFor(() => expect(onCreated).toHaveBeenCalled());
  const made = asked.filter(({ method }) => method === 'POST');
  expect(made).toHaveLength(1);
  expect(made[0]?.body).toMatchObject({
    name: 'laptop',
    mapping: { opus: [{ platform: 'anthropic', model: 'claude-opus-5-5' }] },
    limits: { spend: {} },
  });
});

test('what the server refuses stands at its field, and nothing typed is lost', async () => {
  serve({
    'GET /api/v1/platforms': { body: PLATFORMS },
    'POST /api/v1/api-keys': {
      status: 422,
      body: { title: 'Invalid', code: 'invalid', errors: [{ field: 'name', code: 'taken', message: 'is taken' }] },
    },
  });
  renderPage(<KeyDialog onClose={() => undefined} onCreated={() => undefined} />);
  const user = userEvent.setup();
  await user.type(screen.getByLabelText(/^Name/), 'laptop');
  await user.click(screen.getByRole('button', { name: 'Create key' }));
  expect(await screen.findByText('This value is not accepted: is taken')).toBeVisible();
  expect(screen.getByLabelText(/^Name/)).toHaveValue('laptop');
  expect(screen.getByLabelText(/^Name/)).toBeInvalid();
});

test('a form without a name asks for it and sends nothing', async () => {
  const asked = serve({ 'GET /api/v1/platforms': { body: PLATFORMS } });
  renderPage(<KeyDialog onClose={() => undefined} onCreated={() => undefined} />);
  await userEvent.setup().click(screen.getByRole('button', { name: 'Create key' }));
  expect(await screen.findByText('Fill this in.')).toBeVisible();
  expect(asked.filter(({ method }) => method === 'POST')).toEqual([]);
});
