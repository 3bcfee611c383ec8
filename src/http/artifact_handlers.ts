import type { Artifacts } from '../artifacts/artifacts.ts';
import type { operations as contract } from '../contract/operations.ts';
import { receivedArtifact } from './archive_body.ts';
import type { Handler } from './route.ts';

/** What the routes on artifacts call. */
export function artifactHandlers(artifacts: Artifacts) {
  return {
    list: ({ path }) => artifacts.list(path.id),
    upload: ({ path, response }) => {
      const { sha256, size } = receivedArtifact(response.locals);
      return { service: path.id, sha256, size, message: 'Artifact uploaded; a deploy can name it' };
    },
  } satisfies {
    list: Handler<(typeof contract)['listArtifacts']>;
    upload: Handler<(typeof contract)['uploadArtifact']>;
  };
}
