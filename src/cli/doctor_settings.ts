/** What `davit doctor` looks at of an agent's configuration. */
export interface DoctorSettings {
  readonly data: string;
  readonly listen: string;
  readonly port_range: string;
  readonly tls: CertificateFiles | null;
  readonly router: {
    readonly listeners: readonly { readonly address: string }[];
    readonly certificates: readonly CertificateFiles[];
    readonly processes: number | 'auto';
  } | null;
}

export interface CertificateFiles {
  readonly cert_file: string;
  readonly key_file: string;
}
