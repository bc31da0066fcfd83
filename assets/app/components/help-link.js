/** The link to the section of the guide that belongs to the page; a module of its own, because the table is long. */
import { html } from '../lib/html.js';
import { helpFor } from '../lib/help.js';
import { here, match } from '../lib/router.js';

/** Where the help of the page that is shown stands. */
export const helpHere = () => helpFor(match(here.value.path));

/** @param {{children?: any, [more: string]: any}} props */
export const HelpLink = ({ children, ...props }) => html`<a ...${props} href=${helpHere()}>${children}</a>`;
