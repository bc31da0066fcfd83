/**
 * The shapes the server answers with, as far as the pages read them. Types only; nothing runs here.
 *
 * @typedef {{code: string, message: string}} Refusal
 * @typedef {string[] | Record<string, true | Refusal>} Can
 *   In lists the names of what the caller may do; in single views each action with true or the reason against it.
 *
 * @typedef {object} User
 * @property {string} id
 * @property {string} username
 * @property {string} email
 * @property {string} [name]
 * @property {string} [kind]
 * @property {'active' | 'disabled' | 'deleted' | 'erased'} status
 * @property {boolean} isAdmin
 * @property {string[]} groups
 * @property {{groupId: string, role: 'member' | 'admin'}[]} groupMemberships
 * @property {{id: string, name: string, displayName?: string, role?: string}[]} [groupDetails]
 * @property {number} [workspacesCount]
 * @property {string} createdAt
 * @property {string | null} [lastLoginAt]
 * @property {string | null} [expiresAt]
 * @property {{id: string, username: string, name: string}} [manager]
 * @property {string} [invitedUntil]
 * @property {boolean} [mustChangePassword]
 * @property {boolean} [hasPassword]
 * @property {Can} [can]
 *
 * @typedef {{used: string | number, total: string | number, percentage: number}} Level
 * @typedef {{cpu: Level, memory: Level, storage: Level, pods: Level}} Usage
 * @typedef {{cpu: string, memory: string, storage: string, pods: number}} Quota
 *
 * @typedef {object} Group
 * @property {string} id
 * @property {string} name
 * @property {string} displayName
 * @property {string | null} [description]
 * @property {string} namespace
 * @property {string} status
 * @property {Reason | null} [reason]
 * @property {boolean} private
 * @property {string} [ownerId]
 * @property {Quota} resourceQuota
 * @property {Usage} usage
 * @property {Usage} [currentUsage]
 * @property {number} memberCount
 * @property {string | null} [role]
 * @property {string} createdAt
 * @property {string} updatedAt
 * @property {Can} can
 *
 * @typedef {object} Member
 * @property {string} id
 * @property {string} username
 * @property {string} [name]
 * @property {string} [email]
 * @property {'member' | 'admin'} role
 * @property {string} joinedAt
 * @property {string | null} [lastVisitAt]
 * @property {string | null} [endsAt]
 *
 * @typedef {{code: string, message: string, remedy?: string | null, since?: string}} Reason
 * @typedef {{cpu: string, memory: string, storage: string}} Size
 *
 * @typedef {object} Workspace
 * @property {string} id
 * @property {string} name
 * @property {string | null} [description]
 * @property {string} groupId
 * @property {string} groupName
 * @property {string} groupDisplayName
 * @property {string} userId
 * @property {string} [userName]
 * @property {string} [userDisplayName]
 * @property {string} [userEmail]
 * @property {string} [templateId]
 * @property {string} [image]
 * @property {string} status
 * @property {Reason | null} [reason]
 * @property {Size} resources
 * @property {Size | null} [appliedResources]
 * @property {string | null} [resizeWaits] while what runs does not have its size yet
 * @property {Partial<Usage> | null} [usage]
 * @property {string} createdAt
 * @property {string} updatedAt
 * @property {string | null} [lastAccessedAt]
 * @property {number} [run]
 * @property {App[]} [apps]
 * @property {Can} can
 *
 * @typedef {object} App a program of the workspace that is used in the browser
 * @property {string} slug
 * @property {string} name
 * @property {string} icon
 * @property {'stopped' | 'starting' | 'running' | 'failed' | 'missing'} status
 * @property {string | null} [message]
 * @property {string | null} [hint] what to type when it is missing
 * @property {string | null} [url] where it is opened; a page of ours, to be bookmarked
 * @property {string | null} [since]
 * @property {number} [restarts]
 * @property {number | null} [lastExit] exit code
 *
 * @typedef {object} TimelineEntry
 * @property {string | number} id
 * @property {string} at
 * @property {number} run
 * @property {'step' | 'action' | 'warning' | 'error'} kind
 * @property {string} code
 * @property {string} message
 * @property {any} [actor]
 * @property {number} [count]
 *
 * @typedef {object} Template
 * @property {string} id
 * @property {string} name
 * @property {string} displayName
 * @property {string} description
 * @property {string} icon
 * @property {string} kind
 * @property {Size} defaultSize
 * @property {({name: string} & Size)[]} sizes
 * @property {string | boolean | null} [deprecated]
 * @property {(Pick<App, 'slug' | 'name' | 'icon' | 'hint'> & {installed?: boolean})[]} [apps]
 *
 * @typedef {object} Check
 * @property {boolean} ok
 * @property {string} level
 * @property {string} [id]
 * @property {string} resource
 * @property {string | number | null} [requested]
 * @property {string | number | null} [used]
 * @property {string | number | null} [total]
 * @property {string | number | null} [available]
 *
 * @typedef {object} AuditEntry
 * @property {string} id
 * @property {string} [userId]
 * @property {string} username
 * @property {string} action
 * @property {string} resource
 * @property {string} [resourceName]
 * @property {any} [details]
 * @property {string} timestamp
 * @property {boolean} success
 * @property {string} [error]
 * @property {number} [count]
 * @property {string} [address]
 * @property {string} [agent]
 * @property {string} [requestId]
 * @property {string} [hash]
 * @property {string} [previousHash]
 * @property {AuditEntry[]} [folded] equal refusals that this row stands for
 *
 * @typedef {object} Change
 * @property {number} seq
 * @property {string} kind
 * @property {string} op
 * @property {string} [id]
 * @property {string} [groupId]
 */
export {};
