import { describe, expect, test } from 'vitest';
import { audienceRefusal, personOf, roleOf } from './rules.ts';

const names = { roleClaim: 'role', adminRole: 'calAdmins', userRole: 'calUsers' };

describe('the role', () => {
  test.each([
    ['a text', 'calAdmins', 'admin'],
    ['a text', 'calUsers', 'user'],
    ['a list', ['other', 'calUsers'], 'user'],
    ['a list with both', ['calUsers', 'calAdmins'], 'admin'],
    ['an empty list', [], undefined],
    ['another spelling', 'caladmins', undefined],
    ['several in one text', 'calUsers calAdmins', undefined],
    ['a list in a list', [['calAdmins']], undefined],
    ['an object', { calAdmins: true }, undefined],
    ['null', null, undefined],
    ['true', true, undefined],
  ])('of %s', (_kind, role, expected) => {
    expect(roleOf({ role }, names)).toBe(expected);
  });

  test('is none without the claim', () => {
    expect(roleOf({}, names)).toBeUndefined();
  });

  test('stands under a flat name, even one that looks like a path or is a member of every object', () => {
    const claims = { 'cognito:groups': ['calUsers'], 'a.b': 'calAdmins', a: { b: 'calUsers' } };
    expect(roleOf(claims, { ...names, roleClaim: 'cognito:groups' })).toBe('user');
    expect(roleOf(claims, { ...names, roleClaim: 'a.b' })).toBe('admin');
    expect(roleOf({}, { ...names, roleClaim: 'constructor', userRole: 'Object' })).toBeUndefined();
  });
});

describe('the audience', () => {
  test.each([
    ['ours', { aud: 'calculaud' }, 'calculaud', true],
    ['ours among others', { aud: ['other', 'calculaud'] }, 'calculaud', true],
    ['another', { aud: 'other' }, 'calculaud', false],
    ['one that begins like ours', { aud: 'calculaud-2' }, 'calculaud', false],
    ['none, where one is expected', {}, 'calculaud', false],
    ['none, but our client', { client_id: 'calculaud' }, 'calculaud', true],
    ['none, and another client', { client_id: 'other' }, 'calculaud', false],
    ['another, although the client is ours', { aud: 'other', client_id: 'calculaud' }, 'calculaud', false],
    ['none, where none is expected', { client_id: 'any' }, undefined, true],
    ['some, where none is expected', { aud: 'other' }, undefined, false],
    ['an empty list, where none is expected', { aud: [] }, undefined, false],
  ])('%s', (_case, claims, ours, accepted) => {
    expect(audienceRefusal(claims, ours) === undefined).toBe(accepted);
  });
});

describe('the person', () => {
  test('is identified by issuer and subject', () => {
    expect(personOf({ iss: 'idp', sub: '42', name: 'Dana Levi', email: 'dana@example.org' })).toEqual({
      subject: 'idp|42',
      name: 'Dana Levi',
      email: 'dana@example.org',
    });
  });

  test.each([
    [{ given_name: 'Dana', family_name: 'Levi', preferred_username: 'dl' }, 'Dana Levi'],
    [{ family_name: 'Levi' }, 'Levi'],
    [{ name: ' ', preferred_username: 'dl', email: 'dana@example.org' }, 'dl'],
    [{ email: 'dana@example.org' }, 'dana@example.org'],
    [{}, '42'],
  ])('is called by the best name there is: %o', (claims, name) => {
    expect(personOf({ iss: 'idp', sub: '42', ...claims })?.name).toBe(name);
  });

  test('needs no subject, and is then never taken for somebody who has one', () => {
    expect(personOf({ iss: 'idp', client_id: 'robot' })?.subject).toBe('idp|client_id|robot');
    expect(personOf({ iss: 'idp' })).toEqual({ subject: 'idp|', name: 'Unnamed', email: null });
  });

  test('has a name that the database can store', () => {
    const person = personOf({ iss: 'idp', sub: '42', name: `A\u0000\uD800${'ב'.repeat(300)}` });
    expect(person?.name).toBe(`A\uFFFD${'ב'.repeat(252)}`);
  });

  test.each(['x'.repeat(256), 'nul\u0000', '\uD800'])('must have a subject that can be stored', (sub) => {
    expect(personOf({ iss: 'idp', sub })).toBeUndefined();
  });
});
