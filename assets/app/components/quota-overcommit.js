/** Beside the fields of a quota: whether all quotas together would promise more than the cluster has. */
import { html } from '../lib/html.js';
import { may } from '../lib/can.js';
import { useQuery } from '../lib/query.js';
import { me } from '../lib/session.js';
import { Overcommit } from './capacity-table.js';

const RESOURCES = ['cpu', 'memory', 'storage', 'pods'];

/** @param {{values: Record<string, any>, before?: any}} props values: of the form; before: the quota that they replace */
export function QuotaOvercommit({ values, before }) {
  const { data } = useQuery(may(me.value, 'view_cluster_capacity') ? '/api/admin/cluster/capacity' : null, ['group']);
  return data ? html`<${Overcommit} capacity=${data} before=${before} after=${Object.fromEntries(RESOURCES.map((resource) => [resource, values[`resourceQuota.${resource}`]]))} />` : null;
}
