import { expect, test } from 'vitest';
import { readSettings, SettingsError } from './settings.ts';

const table = {
  port: { env: 'PORT', type: 'integer', default: '80', min: 1, max: 65_535, description: 'port' },
  mode: { env: 'MODE', type: 'string', default: 'a', values: ['a', 'b'], description: 'mode' },
  names: { env: 'NAMES', type: 'list', default: '', description: 'names' },
  on: { env: 'ON', type: 'boolean', default: 'true', description: 'switch' },
  needed: { env: 'NEEDED', type: 'string', description: 'what must be given' },
} as const;

test('defaults stand where the environment says nothing', () => {
  expect(readSettings(table, { NEEDED: 'x' })).toEqual({
    port: 80,
    mode: 'a',
    names: [],
    on: true,
    needed: 'x',
  });
});

test('every problem is reported at once, with variable, value and remedy', () => {
  try {
    readSettings(table, { PORT: '70000', MODE: 'c', ON: 'yes' });
    expect.unreachable();
  } catch (error) {
    expect(error).toBeInstanceOf(SettingsError);
    expect((error as SettingsError).problems).toEqual([
      'PORT is "70000"; use an integer from 1 to 65535',
      'MODE is "c"; use one of a, b',
      'ON is "yes"; use true or false',
      'NEEDED is not set; it is: what must be given',
    ]);
  }
});

test('an empty string is not a number', () => {
  expect(() => readSettings({ port: table.port }, { PORT: '' })).toThrow('PORT is ""');
});
