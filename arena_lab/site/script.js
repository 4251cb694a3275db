// Two things that Streamlit leaves out. Without this script the site still works: links load the
// page anew, and figures show their light drawing.
(() => {
  if (window.arenaLab) return
  window.arenaLab = true

  // Figures follow the colour mode without asking the server.
  const app = document.querySelector(".stApp")
  const follow = () => {
    document.documentElement.dataset.labTheme = getComputedStyle(app).colorScheme
  }
  new MutationObserver(follow).observe(app, { attributes: true, attributeFilter: ["class"] })
  follow()

  // Links within the site change the page in place: Streamlit answers to the browser's history.
  document.addEventListener("click", (event) => {
    const link = event.target.closest?.('a[href^="?"]')
    if (!link || event.button || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey)
      return
    event.preventDefault()
    const address = new URL(link.getAttribute("href"), window.location.href)
    const isElsewhere = address.search !== window.location.search
    window.history.pushState({}, "", address)
    window.dispatchEvent(new PopStateEvent("popstate"))
    if (isElsewhere) document.querySelector('[data-testid="stMain"]')?.scrollTo(0, 0)
    if (window.innerWidth < 768 && link.closest('[data-testid="stSidebar"]'))
      document.querySelector('[data-testid="stSidebarCollapseButton"] button')?.click()
  })
})()
