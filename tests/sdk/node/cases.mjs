// Runs cases with the official SDK for Node, one after the other, and prints what came of each as JSON.
//
// Usage: node cases.mjs FOLDER <INPUT. The SDK is taken from FOLDER/node_modules. INPUT is JSON: `base_url` and `cases`, each
// with a `call`, `parameters`, and how the client is made (`api_key` or `auth_token`, `max_retries`).

import { createRequire } from "node:module";
import { resolve } from "node:path";
import { text } from "node:stream/consumers";

const require = createRequire(`${resolve(process.argv[2])}/`);
const { Anthropic } = require("@anthropic-ai/sdk");

const CALLS = {
  stream: (client, parameters) => client.messages.stream(parameters).finalMessage(),
  beta_stream: (client, parameters) => client.beta.messages.stream(parameters).finalMessage(),
  create: async (client, parameters) => {
    const { data, request_id } = await client.messages.create(parameters).withResponse();
    return { ...data, request_id };
  },
  count_tokens: (client, parameters) => client.messages.countTokens(parameters),
  models: async (client, parameters) => {
    const ids = [];
    for await (const model of client.models.list(parameters)) ids.push(model.id);
    return ids;
  },
};

async function run(baseURL, { call, parameters, api_key = null, auth_token = null, max_retries = 0 }) {
  const client = new Anthropic({ baseURL, apiKey: api_key, authToken: auth_token, maxRetries: max_retries });
  try {
    return { result: await CALLS[call](client, parameters) };
  } catch (error) {
    return {
      raised: error.constructor.name,
      status: error.status ?? null,
      type: error.type ?? null,
      body: error.error ?? null,
      message: error.message,
      request_id: error.requestID ?? null,
      should_retry: error.headers?.get("x-should-retry") ?? null,
    };
  }
}

const { base_url: baseURL, cases } = JSON.parse(await text(process.stdin));
const outcomes = [];
for (const one of cases) outcomes.push(await run(baseURL, one));
process.stdout.write(JSON.stringify(outcomes));
