/** What to paste where, so that Claude Code uses a key. The address has no /v1: Claude Code appends it. */

export interface Snippet {
  id: 'settings' | 'bash' | 'powershell' | 'curl';
  text: string;
}

export function snippets(publicUrl: string, key: string, model = 'claude-sonnet-4-5'): Snippet[] {
  const base = `${publicUrl.replace(/\/+$/, '')}/proxy`;
  return [
    {
      id: 'settings',
      text: JSON.stringify({ env: { ANTHROPIC_BASE_URL: base, ANTHROPIC_AUTH_TOKEN: key } }, null, 2),
    },
    {
      id: 'bash',
      text: `unset ANTHROPIC_API_KEY\nexport ANTHROPIC_BASE_URL='${base}'\nexport ANTHROPIC_AUTH_TOKEN='${key}'\nclaude`,
    },
    {
      id: 'powershell',
      text: `Remove-Item Env:ANTHROPIC_API_KEY -ErrorAction SilentlyContinue\n$env:ANTHROPIC_BASE_URL = '${base}'\n$env:ANTHROPIC_AUTH_TOKEN = '${key}'\nclaude`,
    },
    {
      id: 'curl',
      text: `curl '${base}/v1/messages' \\\n  -H 'authorization: Bearer ${key}' \\\n  -H 'anthropic-version: 2023-06-01' \\\n  -H 'content-type: application/json' \\\n  -d '{"model": "${model}", "max_tokens": 16, "messages": [{"role": "user", "content": "Hello"}]}'`,
    },
  ];
}
