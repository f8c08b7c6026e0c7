// The site: what `go run .` wrote into content/, in English and in French. Nothing on a
// page comes from another host.
import { readFileSync } from 'node:fs'

// A stub only leads to a page in the other language.
const pages = JSON.parse(readFileSync(new URL('../content/pages.json', import.meta.url))).filter((p) => !p.stub)
const title = Object.fromEntries(pages.map((p) => [p.route, p.title]))

// What stands together in the navigation. A page that no section names goes into the last.
const sections = [
  ['Begin', 'Commencer', ['start', 'index', 'faq', 'errors', 'going-live', 'agents']],
  ['Payments', 'Paiements', ['payments', 'payin', 'refunds', 'several-shops']],
  ['Payouts', 'Reversements', ['payouts', 'batch', 'accounting']],
  ['Webhooks and waiting', 'Webhooks et attente', ['webhooks', 'inboxes', 'waiting']],
  ['Running', 'Exploitation', ['scale', 'platforms', 'observability', 'proxies-and-certificates', 'security']],
  ['Testing', 'Tests', ['serve', 'faults', 'fidelity', 'guarantees']],
  ['Moving here', 'Migrer', ['from-legacy', 'from-stripe', 'from-fedapay', 'from-kkiapay']],
]

function sidebar(language) {
  const prefix = language === 'fr' ? 'fr/' : ''
  const item = (route) => ({ text: title[route], link: '/' + route.replace(/(^|\/)index$/, '$1') })
  const groups = sections.map(([en, fr, routes]) => ({
    text: language === 'fr' ? fr : en,
    items: routes.map((r) => prefix + r).filter((r) => title[r]).map(item),
  }))
  const named = new Set(sections.flatMap(([, , routes]) => routes))
  const rest = pages.map((p) => p.route)
    .filter((r) => r.startsWith('fr/') === (prefix !== '') && !/^(reference|modules)\//.test(r) && !named.has(r.slice(prefix.length)))
  groups.push({ text: language === 'fr' ? 'Le projet' : 'The project', collapsed: true, items: rest.map(item) })
  const modules = pages.map((p) => p.route).filter((r) => r.startsWith('modules/'))
  const reference = pages.map((p) => p.route).filter((r) => r.startsWith('reference/'))
  groups.push({ text: 'Modules', collapsed: true, items: modules.map(item) })
  groups.push({ text: language === 'fr' ? 'Référence (en anglais)' : 'Reference', collapsed: true, items: reference.map(item) })
  return groups.filter((g) => g.items.length > 0)
}

// As GitHub makes the anchors of headings, so that one link serves both.
function slugify(text) {
  return text.trim().toLowerCase().replace(/[^\p{L}\p{N}\p{M}_ -]/gu, '').replace(/ /g, '-')
}

// Accents and case do not matter to a search, in either language.
function processTerm(term) {
  return term.normalize('NFD').replace(/\p{M}/gu, '').toLowerCase()
}

const github = { icon: 'github', link: 'https://github.com/intram/intram-go' }

export default {
  title: 'Intram Go SDK',
  description: 'The Go SDK of the Intram Merchant API',
  srcDir: 'content',
  srcExclude: ['public/**'],
  base: process.env.SITE_BASE || '/',
  cacheDir: '.vitepress/cache',
  outDir: '.vitepress/dist',
  lastUpdated: false,
  head: [['link', { rel: 'icon', href: 'data:,' }]],
  markdown: {
    anchor: { slugify },
    headers: { slugify },
    toc: { slugify },
    languageAlias: { golang: 'go' },
    // {{ in code is code, and no expression of Vue's.
    config(md) {
      const code = md.renderer.rules.code_inline
      md.renderer.rules.code_inline = (...args) => code(...args).replace('<code', '<code v-pre')
    },
  },
  vite: { publicDir: 'public', build: { chunkSizeWarningLimit: 3000 } },
  locales: {
    root: {
      label: 'English',
      lang: 'en',
      themeConfig: {
        nav: [
          { text: 'Start', link: '/start' },
          { text: 'Questions', link: '/' },
          { text: 'Reference', link: '/reference/intram' },
        ],
        sidebar: sidebar('en'),
      },
    },
    fr: {
      label: 'Français',
      lang: 'fr',
      description: "Le SDK Go de l'API marchand d'Intram",
      themeConfig: {
        nav: [
          { text: 'Commencer', link: '/fr/start' },
          { text: 'Questions', link: '/fr/' },
          { text: 'Référence', link: '/reference/intram' },
        ],
        sidebar: sidebar('fr'),
        outline: { label: 'Sur cette page', level: [2, 3] },
        docFooter: { prev: 'Page précédente', next: 'Page suivante' },
        returnToTopLabel: 'Haut de la page',
        sidebarMenuLabel: 'Menu',
        darkModeSwitchLabel: 'Apparence',
        lightModeSwitchTitle: 'Passer au mode clair',
        darkModeSwitchTitle: 'Passer au mode sombre',
        langMenuLabel: 'Changer de langue',
        skipToContentLabel: 'Aller au contenu',
        notFound: {
          title: 'Page introuvable',
          quote: "Cette page n'existe pas, ou plus.",
          linkLabel: "Aller à l'accueil",
          linkText: "Aller à l'accueil",
        },
      },
    },
  },
  themeConfig: {
    outline: { level: [2, 3] },
    socialLinks: [github],
    search: {
      provider: 'local',
      options: {
        miniSearch: { options: { processTerm }, searchOptions: { processTerm } },
        locales: {
          fr: {
            translations: {
              button: { buttonText: 'Rechercher', buttonAriaLabel: 'Rechercher' },
              modal: {
                displayDetails: 'Afficher la liste détaillée',
                resetButtonTitle: 'Effacer la recherche',
                backButtonTitle: 'Fermer la recherche',
                noResultsText: 'Aucun résultat pour',
                footer: { selectText: 'choisir', navigateText: 'parcourir', closeText: 'fermer' },
              },
            },
          },
        },
      },
    },
  },
}
