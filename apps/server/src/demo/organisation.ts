/** The organisation and its catalogue (contract 5.5, 5.6). */

export interface DemoNode {
  /** Kept as the id when the database has no hierarchy yet; 23 is absent. */
  readonly number: number;
  readonly parent: number | null;
  readonly type: 'UNIT' | 'CENTER' | 'ANAF' | 'MADOR' | 'TEAM';
  readonly name: string;
}

function node(number: number, parent: number | null, type: DemoNode['type'], name: string): DemoNode {
  return { number, parent, type, name };
}

export const nodes: readonly DemoNode[] = [
  node(1, null, 'UNIT', '8000'),
  node(2, 1, 'CENTER', '7100'),
  node(3, 2, 'ANAF', '810'),
  node(4, null, 'UNIT', '9900'),
  node(5, 4, 'CENTER', '9910'),
  node(6, 3, 'MADOR', '811'),
  node(7, 6, 'TEAM', 'Hero'),
  node(8, 3, 'TEAM', 'Alpha'),
  node(9, 6, 'TEAM', 'YoYo'),
  node(10, 3, 'MADOR', '815'),
  node(11, 10, 'TEAM', 'Loop'),
  node(12, 3, 'MADOR', '816'),
  node(13, 1, 'CENTER', '5160'),
  node(14, 5, 'ANAF', '450'),
  node(15, 4, 'CENTER', '9930'),
  node(16, 14, 'MADOR', '451'),
  node(17, 16, 'TEAM', 'Micky'),
  node(18, 16, 'TEAM', 'Foody'),
  node(19, 15, 'TEAM', 'Toto'),
  node(20, 12, 'TEAM', 'Gorilla'),
  node(21, 1, 'CENTER', 'Human Resources'),
  node(22, 2, 'ANAF', '820'),
  node(24, 10, 'TEAM', 'Lamp'),
  node(25, 6, 'TEAM', 'Daddy'),
  node(26, 14, 'MADOR', '459'),
];

export const suppliers: readonly string[] = [
  'AWS Solutions',
  'Microsoft Azure',
  'Google Cloud Platform',
  'DigitalOcean',
  'CloudFlare',
  'MongoDB Inc',
  'Redis Labs',
  'Docker Enterprise',
  'HashiCorp',
  'GitLab Enterprise',
  'Atlassian',
  'JetBrains',
  'Terraform Enterprise',
  'DataDog',
  'New Relic',
  'Splunk',
  'Elastic',
  'VMware',
  'Red Hat',
  'SUSE',
];

export interface DemoServiceType {
  readonly name: string;
  readonly services: readonly string[];
  /** Who sells such services. */
  readonly suppliers: readonly string[];
}

export const serviceTypes: readonly DemoServiceType[] = [
  {
    name: 'Cloud Infrastructure',
    services: [
      'AWS EC2 Instances',
      'Azure Virtual Machines',
      'Google Cloud Compute',
      'Load Balancers',
      'Auto Scaling Groups',
    ],
    suppliers: ['AWS Solutions', 'Microsoft Azure', 'Google Cloud Platform', 'DigitalOcean', 'VMware'],
  },
  {
    name: 'Database Services',
    services: [
      'PostgreSQL Hosting',
      'MySQL Management',
      'Redis Cache',
      'MongoDB Atlas',
      'Database Migration',
    ],
    suppliers: ['MongoDB Inc', 'Redis Labs', 'AWS Solutions', 'Microsoft Azure', 'DigitalOcean'],
  },
  {
    name: 'Application Development',
    services: [
      'API Development',
      'Microservices Architecture',
      'Container Orchestration',
      'Serverless Functions',
      'CI/CD Pipeline Setup',
    ],
    suppliers: ['JetBrains', 'Atlassian', 'GitLab Enterprise', 'Docker Enterprise', 'Microsoft Azure'],
  },
  {
    name: 'DevOps & Automation',
    services: [
      'Infrastructure as Code',
      'Kubernetes Management',
      'Docker Container Registry',
      'Monitoring & Alerting',
      'Backup & Recovery',
    ],
    suppliers: [
      'HashiCorp',
      'Terraform Enterprise',
      'GitLab Enterprise',
      'Docker Enterprise',
      'Red Hat',
      'DataDog',
    ],
  },
  {
    name: 'Security & Monitoring',
    services: [
      'SSL Certificates',
      'Security Auditing',
      'Penetration Testing',
      'Log Analysis',
      'Compliance Monitoring',
    ],
    suppliers: ['Splunk', 'Elastic', 'CloudFlare', 'DataDog', 'New Relic'],
  },
  {
    name: 'Storage Solutions',
    services: [
      'AWS S3 Storage',
      'Azure Blob Storage',
      'CDN Services',
      'Data Archiving',
      'File System Management',
    ],
    suppliers: ['AWS Solutions', 'Microsoft Azure', 'Red Hat', 'SUSE', 'CloudFlare'],
  },
  {
    name: 'Network Services',
    services: [
      'VPN Setup',
      'DNS Management',
      'Firewall Configuration',
      'Network Monitoring',
      'Bandwidth Optimization',
    ],
    suppliers: ['CloudFlare', 'VMware', 'New Relic', 'Google Cloud Platform', 'SUSE'],
  },
];
