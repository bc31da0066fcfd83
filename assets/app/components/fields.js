/** Fields of forms: label, control, and below it the hint or, when it is wrong, the error. */
import { html, useId, useState } from '../lib/html.js';
import { Icon } from './basics.js';

/** @typedef {import('../lib/form.js').Form} Form */

/** @param {{id: string, label: any, optional?: boolean, hint?: any, error?: string, aside?: any, large?: boolean, children?: any}} props */
export function Field({ id, label, optional, hint, error, aside, large, children }) {
  return html`<div class=${`field ${large ? 'l' : ''}`}><label for=${id}>${label}${optional && html` <span class="optional">(optional)</span>`}${aside && html`<span class="right">${aside}</span>`}</label>${children}
    ${error ? html`<span class="error-line" id=${`${id}-hint`}><${Icon} name="circle-alert" size="s12" /><span>${error}</span></span>` : hint ? html`<span class="hint" id=${`${id}-hint`}>${hint}</span>` : null}</div>`;
}

/**
 * @param {{form: Form, name: string, label: any, hint?: any, optional?: boolean, aside?: any, large?: boolean, unit?: string, lines?: number, clean?: (text: string) => string, mono?: boolean, [more: string]: any}} props
 *   clean: applied while typing, for example to make it lower case
 */
export function TextField({ form, name, label, hint, optional, aside, large, unit, lines, clean, mono, ...more }) {
  const id = useId();
  const error = form.errors[name];
  const props = {
    id, name, value: form.values[name] ?? '', 'aria-invalid': error ? 'true' : undefined, 'aria-describedby': error || hint ? `${id}-hint` : undefined,
    onInput: (/** @type {any} */ event) => form.set(name, clean ? clean(event.target.value) : event.target.value), onBlur: () => form.left(name), ...more,
  };
  return html`<${Field} ...${{ id, label, optional, hint, error, aside, large }}>${lines ? html`<textarea class="input" rows=${lines} ...${props} />` : html`<div class="input-wrap"><input class=${`input ${mono ? 'mono' : ''}`} type="text" autocomplete="off" spellcheck=${false} ...${props} />${unit && html`<span class="unit">${unit}</span>`}</div>`}<//>`;
}

/** A password, with a button that shows it and a word about Caps Lock. @param {{form: Form, name: string, label: string, hint?: any, large?: boolean, autocomplete: string, [more: string]: any}} props */
export function PasswordField({ form, name, label, hint, large, autocomplete, ...more }) {
  const id = useId();
  const [seen, setSeen] = useState(false);
  const [caps, setCaps] = useState(false);
  const error = form.errors[name];
  const look = (/** @type {any} */ event) => setCaps(Boolean(event.getModifierState?.('CapsLock')));
  const below = caps && !error ? html`<span class="row warn"><${Icon} name="arrow-big-up" size="s12" />Caps Lock is on.</span>` : hint;
  return html`<${Field} ...${{ id, label, hint: below, error, large }}><div class="input-wrap">
    <input class="input" id=${id} name=${name} type=${seen ? 'text' : 'password'} autocomplete=${autocomplete} spellcheck=${false} autocapitalize="off" value=${form.values[name]}
      aria-invalid=${error ? 'true' : undefined} aria-describedby=${error || below ? `${id}-hint` : undefined} onKeyDown=${look} onKeyUp=${look}
      onInput=${(/** @type {any} */ event) => form.set(name, event.target.value)} onBlur=${() => { form.left(name); setCaps(false); }} ...${more} />
    <button type="button" class="iconbtn" aria-label=${seen ? 'Hide the password' : 'Show the password'} aria-pressed=${seen ? 'true' : 'false'} onClick=${() => setSeen(!seen)}><${Icon} name=${seen ? 'eye-off' : 'eye'} /></button></div><//>`;
}

/** @param {{form: Form, name: string, label: string, options: [string, string][], hint?: any, optional?: boolean, [more: string]: any}} props */
export function SelectField({ form, name, label, options, hint, optional, ...more }) {
  const id = useId();
  const error = form.errors[name];
  return html`<${Field} ...${{ id, label, hint, error, optional }}><${Select} id=${id} name=${name} value=${form.values[name]} options=${options} aria-invalid=${error ? 'true' : undefined}
    aria-describedby=${error || hint ? `${id}-hint` : undefined} onPick=${(/** @type {string} */ value) => form.set(name, value)} ...${more} /><//>`;
}

/** @param {{value: string, options: [string, string][], onPick: (value: string) => void, [more: string]: any}} props */
export function Select({ value, options, onPick, ...more }) {
  return html`<div class="input-wrap"><select class="input" value=${value} onChange=${(/** @type {any} */ event) => onPick(event.target.value)} ...${more}>${options.map(([key, word]) => html`<option key=${key} value=${key} selected=${key === value}>${word}</option>`)}</select><${Icon} name="chevrons-up-down" class="tail" /></div>`;
}

/** @param {{form: Form, name: string, label: any, hint?: any, [more: string]: any}} props */
export function CheckField({ form, name, label, hint, ...more }) {
  const id = useId();
  return html`<div class="stack s4"><label class="check"><input type="checkbox" name=${name} checked=${form.values[name]} aria-describedby=${hint ? id : undefined} onChange=${(/** @type {any} */ event) => form.set(name, event.target.checked)} ...${more} /><span>${label}${hint && html`<span class="hint" id=${id} style="display:block">${hint}</span>`}</span></label></div>`;
}

/** A box that searches as one types. @param {{value: string, label: string, onText: (text: string) => void, [more: string]: any}} props */
export function SearchBox({ value, label, onText, ...more }) {
  return html`<div class="input-wrap find"><${Icon} name="search" class="lead" /><input class="input" type="search" aria-label=${label} placeholder=${label} value=${value} autocomplete="off" spellcheck=${false} onInput=${(/** @type {any} */ event) => onText(event.target.value)} ...${more} /></div>`;
}
