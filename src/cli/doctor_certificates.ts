import { createPrivateKey, X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { Finding } from '../contract/doctor.ts';
import { errorMessage } from '../lib/errors.ts';
import type { CertificateFiles, DoctorSettings } from './doctor_settings.ts';
import { ok, problem, warning } from './finding.ts';

/** A certificate that ends within so many days wants to be renewed: those that renew by themselves do so a month ahead. */
const fewDays = 14;
const day = 86_400_000;

/** Whether the certificates that a configuration names can be used, and for how long. */
export function checkCertificates({ tls, router }: DoctorSettings, now: number = Date.now()): Finding[] {
  const files = [tls, ...(router?.certificates ?? [])].filter((pair) => pair !== null);
  return files.map((pair) => checkCertificate(pair, now));
}

function checkCertificate({ cert_file, key_file }: CertificateFiles, now: number): Finding {
  const check = 'certificate';
  try {
    const certificate = new X509Certificate(readFileSync(cert_file));
    if (!certificate.checkPrivateKey(createPrivateKey(readFileSync(key_file))))
      return problem(check, `${key_file} is not the key of ${cert_file}`, 'name the key that belongs to it');
    return checkTime(cert_file, certificate, now);
  } catch (error) {
    const advice = 'mend the file; as root, davit doctor may read all of them';
    return problem(check, `${cert_file} and ${key_file}: ${errorMessage(error)}`, advice);
  }
}

function checkTime(file: string, { validFrom, validTo }: X509Certificate, now: number): Finding {
  const check = 'certificate';
  const left = Date.parse(validTo) - now;
  const days = Math.floor(left / day);
  if (Date.parse(validFrom) > now)
    return problem(check, `${file} is good only from ${validFrom} on`, 'set the clock, or use another one');
  if (left <= 0)
    return problem(check, `${file} expired on ${validTo}`, 'renew it: davit takes the new one by itself');
  const message = `${file} is good for ${days} more ${days === 1 ? 'day' : 'days'}`;
  if (days >= fewDays) return ok(check, message);
  return warning(check, message, 'renew it: davit takes the new one by itself');
}
