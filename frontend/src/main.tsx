import { createRoot } from 'react-dom/client';
import { App } from './app/App';
import { loadCatalogue, preferredLanguage, type Language } from './i18n';
import { SpeechProvider } from './i18n/SpeechProvider';
import { recall } from './lib/memory';
import { paint } from './lib/theme';
import './styles.css';

async function start(): Promise<void> {
  const known = recall('language');
  const language: Language = known === 'en' || known === 'zh-CN' ? known : preferredLanguage(navigator.languages);
  document.documentElement.lang = language;
  paint();
  matchMedia('(prefers-color-scheme: dark)').addEventListener('change', paint);
  const root = document.getElementById('root');
  if (root === null) throw new Error('index.html has no #root');
  createRoot(root).render(
    <SpeechProvider language={language} catalogue={await loadCatalogue(language)}>
      <App />
    </SpeechProvider>,
  );
}

void start();
