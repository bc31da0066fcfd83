/**
 * Which part of the guides belongs to which page. Small, because every page has it: the guides themselves are fetched
 * when somebody asks for them. A test holds it together with the routes and with the headings of the guides.
 */

/** What belongs to each page, by the pattern of its route; with `:tab`, by tab after a bar. @type {Record<string, string>} */
const HELP = {
  '/setup': 'operator/install#the-first-administrator',
  '/invite': 'user/start#the-first-sign-in',
  '/sign-in': 'user/start#signing-in',
  '/open': 'user/apps#opening-an-app',
  '/': 'user/start#the-home-page',
  '/workspaces/new': 'user/workspaces#make-a-workspace',
  '/workspaces/:id/:tab?': 'user/workspaces#what-its-page-shows',
  '/workspaces/:id/:tab?|terminal': 'user/inside#terminal',
  '/workspaces/:id/:tab?|files': 'user/inside#files',
  '/workspaces/:id/:tab?|ports': 'user/inside#ports',
  '/workspaces/:id/:tab?|network': 'user/inside#network',
  '/workspaces/:id/:tab?|logs': 'user/inside#logs',
  '/workspaces/:id/:tab?|timeline': 'user/workspaces#when-it-does-not-start',
  '/workspaces/:id/:tab?|settings': 'user/workspaces#another-size',
  '/groups': 'user/groups#what-a-group-is',
  '/groups/new': 'user/groups#create-a-group',
  '/groups/:id/:tab?': 'user/groups#watch-a-group',
  '/groups/:id/:tab?|members': 'user/groups#add-and-remove-members',
  '/groups/:id/:tab?|workspaces': 'user/groups#the-workspaces-of-a-group',
  '/groups/:id/:tab?|settings': 'user/groups#change-a-group',
  '/notices': 'user/account#notices',
  '/profile': 'user/account',
  '/activity': 'user/account#who-looked-at-or-changed-your-things',
  '/admin/users': 'user/people',
  '/admin/users/import': 'user/people#import-users-from-a-list',
  '/admin/users/new': 'user/people#onboard-a-user',
  '/admin/users/:id/offboard': 'user/people#somebody-leaves',
  '/admin/users/:id': 'user/people#one-account',
  '/admin/tokens': 'user/automation#service-accounts',
  '/admin/groups': 'user/groups#watch-a-group',
  '/admin/workspaces': 'user/groups#the-workspaces-of-a-group',
  '/admin/audit': 'user/audit',
  '/admin/audit/administrators': 'user/audit#what-administrators-did',
  '/admin': 'user/platform',
  '/admin/settings': 'operator/configuration#the-settings-page',
  '/admin/access': 'user/roles',
  '/help/api/:noun?': 'user/automation',
  '/help/:book?/:chapter?': '',
};

/** The address of the help for a page. @param {{route: {pattern: string}, params: Record<string, string>} | null} found */
export function helpFor(found) {
  if (!found) return '/help';
  const { pattern } = found.route;
  const place = HELP[`${pattern}|${found.params.tab || ''}`] ?? HELP[pattern] ?? '';
  return place ? `/help/${place}` : '/help';
}
