import assert from 'node:assert/strict';
import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { Certificates } from '../../src/alerts/conditions/certificates.ts';
import { certificateText, makeCertificate } from '../helpers/server_certificates.ts';

const [hour, day] = [3_600_000, 86_400_000];
const never = () => false;
const always = () => true;

let folder: string;
let file: string;
before(() => {
  folder = mkdtempSync(join(tmpdir(), 'davit-certificates-'));
  // It is good for a day.
  file = makeCertificate(folder, 'own', ['a.test']).cert_file;
});
after(() => rmSync(folder, { recursive: true, force: true }));

test('a certificate is found when it ends within the time, and again at the time at which it will', () => {
  const certificates = new Certificates(() => [file]);
  const now = Date.now();
  const near = certificates.look(2 * day, never, now);
  assert.equal(near.findings[0]?.subject, file);
  assert.match(near.findings[0]?.summary ?? '', /^the certificate .*own\.pem ends at 20/);
  const far = certificates.look(22 * hour, never, now);
  assert.deepEqual(far.findings, []);
  const again = far.again_at ?? 0;
  assert.ok(again > now + hour && again <= now + 2 * hour, 'when 22 hours are left of a day');
  const later = certificates.look(hour, never, now + 2 * day);
  assert.match(later.findings[0]?.summary ?? '', /ended at 20/);
});

test('a file is read again every six hours, and when that is asked for', () => {
  const changing = join(folder, 'changing.pem');
  const certificates = new Certificates(() => [changing]);
  const now = Date.now();
  copyFileSync(file, changing);
  assert.equal(certificates.look(2 * day, never, now).findings.length, 1);
  assert.equal(certificates.look(2 * day, never, now).again_at, now + 6 * hour);
  rmSync(changing);
  assert.equal(certificates.look(2 * day, never, now + hour).findings.length, 1);
  assert.equal(certificates.look(2 * day, never, now + 6 * hour).findings.length, 0);
  copyFileSync(file, changing);
  assert.equal(certificates.look(2 * day, never, now + 7 * hour).findings.length, 0);
  certificates.reload();
  assert.equal(certificates.look(2 * day, never, now + 7 * hour).findings.length, 1);
});

test('what cannot be read begins nothing and ends nothing', () => {
  const broken = join(folder, 'broken.pem');
  for (const text of [
    '',
    'no certificate',
    '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n',
  ]) {
    writeFileSync(broken, text);
    const certificates = new Certificates(() => [broken, join(folder, 'absent.pem')]);
    assert.equal(certificates.look(14 * day, never, Date.now()).findings.length, 0);
    assert.equal(certificates.look(14 * day, always, Date.now()).findings.length, 2);
  }
});

test('of a file with several the one counts that ends first', () => {
  const chain = join(folder, 'chain.pem');
  const other = makeCertificate(folder, 'other', ['b.test']);
  writeFileSync(chain, certificateText(other) + readFileSync(file, 'utf8'));
  const ends = [chain, file].map((each) => {
    const { findings } = new Certificates(() => [each]).look(2 * day, never, Date.now());
    return /ends at (.*)$/.exec(findings[0]?.summary ?? '')?.[1];
  });
  assert.equal(ends[0], ends[1]);
});
