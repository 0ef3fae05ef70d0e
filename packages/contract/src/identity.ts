import { z } from 'zod';
import { endpoint } from './endpoint.ts';
import { oneOf, text } from './input.ts';

/** Refresh tokens that are JWTs take a few kilobytes. */
const field = text({ max: 16_384 });

/** What else the identity provider understands (`resource`, `client_assertion`, …); a name may be repeated. */
const EXTRA_FIELDS = 20;
const extraField = z.union([text({ max: 4096 }), z.array(text({ max: 4096 })).max(EXTRA_FIELDS)]);

/** The fields that v1 knew; all others are passed on as they are. */
export const tokenFields = z.object({
  grant_type: oneOf(['authorization_code', 'refresh_token']).describe('What is given for the tokens.'),
  client_id: text({ min: 1, max: 1000 }).describe('The application, as the identity provider knows it.'),
  client_secret: field.optional().describe('Of an application that has one.'),
  username: field.optional().describe('Passed on as it is.'),
  password: field.optional().describe('Passed on as it is.'),
  code: field.optional().describe('The code that the identity provider sent the browser back with.'),
  redirect_uri: field.optional().describe('Where it sent the browser, as in the request for the code.'),
  scope: field.optional().describe('What the tokens are to be good for.'),
  code_verifier: field
    .optional()
    .describe('What the challenge of the request for the code was made of (PKCE).'),
  refresh_token: field.optional().describe('The token that new ones are asked for with.'),
});
const KNOWN_FIELDS = Object.keys(tokenFields.shape).length;

export const tokenRequest = tokenFields
  .catchall(extraField)
  .refine((form) => Object.keys(form).length <= KNOWN_FIELDS + EXTRA_FIELDS, 'Too many fields')
  .refine(
    (form) => Object.keys(form).every((name) => name.length <= 100),
    'The name of a field is longer than 100 characters',
  )
  .meta({ id: 'TokenRequest' });

export const token = z
  .looseObject({
    access_token: z.string().nullable(),
    token_type: z.string().nullable(),
    expires_in: z.int().nullable(),
    refresh_token: z.string().nullable(),
    id_token: z.string().nullable(),
    scope: z.string().nullable(),
    error: z.string().nullable(),
    error_description: z.string().nullable(),
  })
  .meta({ id: 'Token' });

export const requestToken = endpoint({
  id: 'auth.token',
  method: 'POST',
  path: '/auth/token',
  summary: 'Get tokens from the identity provider',
  description:
    'Passes a token request on, so that a browser needs no permission of the identity provider to call it. ' +
    'A 4xx answer of the provider comes back with its status and body, for example 400 `invalid_grant`. ' +
    '404: no identity provider is configured. 408: it took too long. 502: it failed.',
  permission: 'public',
  bodyType: 'form',
  body: tokenRequest,
  success: { status: 200, body: token },
  errors: [400, 401, 404, 408, 429, 502],
});
