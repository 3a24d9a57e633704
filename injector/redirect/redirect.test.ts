import { expect, test } from 'vitest';
import { checkTarget, missingRules, restoreInput } from './rules.ts';
import { readRedirection } from './settings.ts';

const plain = readRedirection({});
const full = readRedirection({
  TULLE_SKIP_INBOUND_PORTS: '22,9000-9010',
  TULLE_SKIP_OUTBOUND_PORTS: '5432,6000-6001',
  TULLE_SKIP_OUTBOUND_CIDRS: '10.0.0.0/8,fd00::/8,192.0.2.1',
});

test('golden: no settings', () => {
  expect(restoreInput(plain, 'ipv4', '')).toBe(`*nat
:TULLE_INBOUND - [0:0]
:TULLE_OUTBOUND - [0:0]
-A TULLE_INBOUND -p tcp --dport 14020 -j RETURN
-A TULLE_INBOUND -p tcp -j REDIRECT --to-ports 14006
-A TULLE_OUTBOUND -s 127.0.0.6/32 -o lo -j RETURN
-A TULLE_OUTBOUND ! -d 127.0.0.0/8 -o lo -m owner --uid-owner 14337 -j TULLE_INBOUND
-A TULLE_OUTBOUND -m owner --uid-owner 14337 -j RETURN
-A TULLE_OUTBOUND -o lo -j RETURN
-A TULLE_OUTBOUND -p tcp -j REDIRECT --to-ports 14001
-I PREROUTING ! -i lo -p tcp -j TULLE_INBOUND
-I OUTPUT -p tcp -j TULLE_OUTBOUND
COMMIT
`);
});

test('golden: every setting, IPv6', () => {
  expect(restoreInput(full, 'ipv6', '')).toBe(`*nat
:TULLE_INBOUND - [0:0]
:TULLE_OUTBOUND - [0:0]
-A TULLE_INBOUND -p tcp --dport 14020 -j RETURN
-A TULLE_INBOUND -p tcp --dport 22 -j RETURN
-A TULLE_INBOUND -p tcp --dport 9000:9010 -j RETURN
-A TULLE_INBOUND -p tcp -j REDIRECT --to-ports 14006
-A TULLE_OUTBOUND ! -d ::1/128 -o lo -m owner --uid-owner 14337 -j TULLE_INBOUND
-A TULLE_OUTBOUND -m owner --uid-owner 14337 -j RETURN
-A TULLE_OUTBOUND -o lo -j RETURN
-A TULLE_OUTBOUND -d fd00::/8 -j RETURN
-A TULLE_OUTBOUND -p tcp --dport 5432 -j RETURN
-A TULLE_OUTBOUND -p tcp --dport 6000:6001 -j RETURN
-A TULLE_OUTBOUND -p tcp -j REDIRECT --to-ports 14001
-I PREROUTING ! -i lo -p tcp -j TULLE_INBOUND
-I OUTPUT -p tcp -j TULLE_OUTBOUND
COMMIT
`);
});

test('networks go to the rules of their family', () => {
  const ipv4 = restoreInput(full, 'ipv4', '');
  expect(ipv4).toContain('-d 10.0.0.0/8 -j RETURN\n-A TULLE_OUTBOUND -d 192.0.2.1/32 -j RETURN');
  expect(ipv4).not.toContain('fd00');
});

const saved = `*nat
:PREROUTING ACCEPT [0:0]
:TULLE_INBOUND - [0:0]
-A PREROUTING ! -i lo -p tcp -j TULLE_INBOUND
-A OUTPUT -p tcp -j TULLE_OUTBOUND
-A TULLE_INBOUND -p tcp -m tcp --dport 14020 -j RETURN
-A TULLE_INBOUND -p tcp -j REDIRECT --to-ports 14006
-A TULLE_OUTBOUND -s 127.0.0.6/32 -o lo -j RETURN
-A TULLE_OUTBOUND ! -d 127.0.0.0/8 -o lo -m owner --uid-owner 14337 -j TULLE_INBOUND
-A TULLE_OUTBOUND -m owner --uid-owner 14337 -j RETURN
-A TULLE_OUTBOUND -o lo -j RETURN
-A TULLE_OUTBOUND -p tcp -j REDIRECT --to-ports 14001
COMMIT
`;

test('rules that stand already are not doubled', () => {
  expect(restoreInput(plain, 'ipv4', saved)).not.toContain('-I ');
  expect(missingRules(plain, 'ipv4', saved)).toEqual([]);
});

test('what is missing is named', () => {
  expect(missingRules(full, 'ipv4', saved.replace('-A OUTPUT -p tcp -j TULLE_OUTBOUND\n', ''))).toEqual([
    'OUTPUT has no rule -p tcp -j TULLE_OUTBOUND',
    'chain TULLE_INBOUND has 2 rules instead of 4',
    'chain TULLE_OUTBOUND has 5 rules instead of 9',
  ]);
});

test('the check goes where redirection is not skipped', () => {
  expect(checkTarget(plain)).toEqual({ address: '192.0.2.1', port: 80 });
  expect(checkTarget(full)).toEqual({ address: '198.51.100.1', port: 80 });
  expect(checkTarget(readRedirection({ TULLE_SKIP_OUTBOUND_CIDRS: '0.0.0.0/0' }))).toBeNull();
  expect(checkTarget(readRedirection({ TULLE_SKIP_OUTBOUND_PORTS: '1-65535' }))).toBeNull();
  expect(checkTarget(readRedirection({ TULLE_SKIP_OUTBOUND_PORTS: '1-442' }))).toMatchObject({ port: 443 });
});

test('invalid settings are named, all at once', () => {
  expect(() =>
    readRedirection({ TULLE_SKIP_INBOUND_PORTS: '99999', TULLE_SKIP_OUTBOUND_CIDRS: 'x' }),
  ).toThrow(
    /TULLE_SKIP_INBOUND_PORTS is "99999"; use ports[^]*TULLE_SKIP_OUTBOUND_CIDRS is "x"; use networks/,
  );
});
