import { Bell, Connection, Document, Grid, Histogram, List, Setting, Share } from '@element-plus/icons-vue';
import type { Component } from 'vue';

/** A page of the navigation. */
interface Page {
  /** Of its route, and of its name in the messages. */
  readonly name: string;
  readonly icon: Component;
}

export const pages: readonly Page[] = [
  { name: 'overview', icon: Histogram },
  { name: 'services', icon: Grid },
  { name: 'logs', icon: Document },
  { name: 'routing', icon: Share },
  { name: 'connections', icon: Connection },
  { name: 'alerts', icon: Bell },
  { name: 'activity', icon: List },
  { name: 'settings', icon: Setting },
];
