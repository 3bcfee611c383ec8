import { z } from 'zod';
import { serviceId, time } from './scalars.ts';

/** The SHA-256 of an upload, by which it is known. */
const sha256 = z
  .string()
  .regex(/^[0-9a-f]{64}$/, 'must be a SHA-256: 64 digits of 0-9 and a-f')
  .meta({ examples: ['9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08'] });

/** Which upload a release runs. */
export const artifactReference = z.strictObject({
  sha256: sha256.describe('Of the archive as it was uploaded.'),
});

/** What an upload is checked against. */
export const uploadQuery = z.strictObject({
  sha256: sha256.optional().describe('What the upload must be; it is refused where it is anything else.'),
});

const artifactFacts = {
  sha256,
  size: z.int().describe('Of the archive, in bytes.'),
};

export const uploadedArtifact = z
  .object({
    ...artifactFacts,
    service: serviceId,
    message: z.string(),
  })
  .meta({ id: 'UploadedArtifact' });

export const artifactList = z
  .object({
    service: serviceId,
    artifacts: z.array(
      z.object({
        ...artifactFacts,
        uploaded_at: time,
        releases: z.array(z.int()).describe('Those that run it, newest first.'),
        current: z.boolean().describe('Whether it is that of the current release.'),
      }),
    ),
  })
  .meta({ id: 'ArtifactList' });
export type ArtifactList = z.infer<typeof artifactList>;

/** Archives, by what a request says of its body. What is in them is found out from their first bytes. */
export const archiveTypes = [
  'application/gzip',
  'application/x-gzip',
  'application/x-tar',
  'application/zstd',
  'application/octet-stream',
] as const;
