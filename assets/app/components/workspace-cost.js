/** What things cost: a workspace with what that is made of, a group or a person in two lines. */
import { html } from '../lib/html.js';
import { money, number } from '../lib/format.js';
import { useQuery } from '../lib/query.js';
import { Icon } from './basics.js';
import { Card, Facts, Loaded } from './places.js';

/** @param {{month: any}} props */
const Month = ({ month }) => html`<${Facts} rows=${[['This month so far', html`<b>${money(month.monthToDate, month.currency)}</b>`], ['At the end of the month', money(month.projected, month.currency)]]} />`;

/** @param {{workspace: import('../lib/types.js').Workspace}} props */
export function WorkspaceCost({ workspace }) {
  const query = useQuery(`/api/workspaces/${workspace.id}/cost`, ['workspace', 'setting']);
  return html`<${Card} title="Cost"><div class="card-body"><${Loaded} query=${query} what="The cost could not be read" lines=${3} height=${26}>${(/** @type {any} */ cost) => {
    const show = (/** @type {number} */ value) => money(value, cost.pricingConfig.currency);
    const { cpu, memory, storage } = cost.computeCosts;
    const { clusterManagement, networking } = cost.overheadCosts;
    return html`<${Month} month=${cost.month} /><details style="margin-top:8px"><summary class="t13"><${Icon} name="chevron-right" size="s14" />If it always ran: ${show(cost.totalMonthlyCost)} a month</summary><div style="margin-top:6px"><${Facts} rows=${[[`${number(cpu.cores)} cores`, show(cpu.costPerMonth)], [`${number(memory.gibibytes)} GiB of memory`, show(memory.costPerMonth)], [`${number(storage.gibibytes)} GiB of disk`, show(storage.costPerMonth)], [clusterManagement.description, show(clusterManagement.costPerMonth)], [networking.description, show(networking.costPerMonth)]]} /></div></details>`;
  }}<//></div><//>`;
}

/** @param {{path: string}} props path: of a group or a person in the API */
export function MonthCost({ path }) {
  const query = useQuery(`${path}/cost`, ['workspace', 'setting']);
  return html`<${Card} title="Cost"><div class="card-body"><${Loaded} query=${query} what="The cost could not be read" lines=${2} height=${26}>${(/** @type {any} */ month) => html`<${Month} month=${month} />`}<//></div><//>`;
}
